"""What a retraining has finished: one small file in a folder named by the content of its inputs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ionscout.datasets.errors import BadData, IonscoutError
from ionscout.training.locks import held


class AlreadyRunning(IonscoutError):
    title = "Already running"
    http_status = 409


class Stages:
    """Finished stages and what each left, kept across kills: a stage is either whole in the file or not there."""

    def __init__(self, folder: Path) -> None:
        """Open the folder of one retraining.

        Raises:
            BadData: its state cannot be read.
        """
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "state.json"
        self._done: dict[str, Any] = {}
        if self._file.is_file():
            try:
                self._done = json.loads(self._file.read_text())
            except (OSError, json.JSONDecodeError) as error:
                raise BadData(f"{self._file} cannot be read ({error}); delete its folder to start over.") from None

    def result(self, stage: str) -> Any:
        """What a finished stage left, None of one that is not finished."""
        return self._done.get(stage)

    def finish(self, stage: str, result: dict) -> dict:
        """Keep a stage's result for ever."""
        self._done[stage] = result
        write_whole(self._file, json.dumps(self._done, indent=2))
        return result

    def forget(self, stage: str) -> None:
        """A result that no longer holds."""
        if self._done.pop(stage, None) is not None:
            write_whole(self._file, json.dumps(self._done, indent=2))


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a kill leaves the old one or the new one."""
    beside = path.with_name(path.name + ".part")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep a second retraining out.

    Raises:
        AlreadyRunning: there is another one.
    """
    path = folder / "retrain.lock"
    with held(path, AlreadyRunning(f"Another retraining is running (lock {path}); wait for it to end.")):
        yield
