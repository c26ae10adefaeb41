"""A checkpoint of a long screening: one JSON line per finished item, named by a hash of the question."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ionscout.datasets.errors import BadData


class Checkpoint:
    """Finished items of one question, so that an interrupted run goes on where it stopped.

    Another hull version or another option is another question and gets a file of its own. Lines are appended in one
    write and synced; a line that an interruption cut short is dropped when the file is read.

    Args:
        folder: made if it is missing.
        name: start of the file name.
        question: everything that the answers depend on; must survive JSON.

    Raises:
        BadData: the folder cannot be used, or holds a file that belongs to another question.
    """

    def __init__(self, folder: Path, name: str, question: dict[str, Any]) -> None:
        self._question = json.loads(json.dumps(question))
        digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:16]
        self.path = folder / f"{name}-{digest}.jsonl"
        self.items: list[dict[str, Any]] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._read()
        except OSError as error:
            raise BadData(f"The checkpoint folder {folder.name} cannot be used ({error.strerror}).") from None

    def append(self, items: Iterable[dict[str, Any]]) -> None:
        """Add finished items and put them on disk."""
        new = list(items)
        self.items += new
        with self.path.open("a") as file:
            file.write("".join(json.dumps(item) + "\n" for item in new))
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        lines = self.path.read_text().splitlines(keepends=True) if self.path.is_file() else []
        whole = [line for line in lines if line.endswith("\n")]
        read = []
        for line in whole:
            try:
                read.append(json.loads(line))
            except ValueError:
                break  # what follows a damaged line is computed again
        if read and read[0] != self._question:
            raise BadData(f"{self.path.name} belongs to another question; delete it or choose another folder.")
        self.items = read[1:]
        if len(read) != len(lines) or not read:
            self._rewrite()

    def _rewrite(self) -> None:
        """The whole lines alone, by way of a second file, so that there is a valid one at any time."""
        fresh = self.path.with_suffix(".tmp")
        fresh.write_text("".join(json.dumps(item) + "\n" for item in [self._question, *self.items]))
        os.replace(fresh, self.path)
