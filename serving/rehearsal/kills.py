"""The real `ionscout retrain`, killed with SIGKILL in a stage of one's choice, and run again."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.settings import settings
from ionscout.training import registry

# Seconds after a stage was announced: into the middle of the two that take long.
INTO = {"fit": 3.0, "gate": 0.5}


class RehearsalFailed(IonscoutError):
    title = "Rehearsal failed"
    http_status = 500


@dataclass(frozen=True)
class Kill:
    """One retraining ended by SIGKILL.

    Attributes:
        stage: in which it was killed. finished: the stages that it will take over.
        champion, model: version of the registry that loaded afterwards, and of its weights.
    """

    stage: str
    finished: tuple[str, ...]
    champion: str
    model: str


def ionscout(*arguments: str) -> list[str]:
    """The command line as a child process has it, whatever is on the path."""
    return [sys.executable, "-c", "from ionscout.serving.cli import main; main()", *arguments]


def kill_at(stage: str, command: Sequence[str]) -> Kill:
    """Run a retraining until it announces a stage, kill it, and load the champion.

    Raises:
        RehearsalFailed: it ended before; DataUnavailable, BadData: the registry has no champion that loads.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            said.append(line)
            if line.split()[:2] == [stage, "…"]:
                time.sleep(INTO.get(stage, 0.0))
                break
        process.kill()
        if process.wait() != -signal.SIGKILL:
            raise RehearsalFailed(f"The retraining ended before it could be killed in {stage}: {''.join(said)[-500:]}")
    version = registry.version_of(registry.CHAMPION)
    model = registry.load_registered("models:/conductivity@champion")
    return Kill(stage, finished(), str(version), model.version)


def finished() -> tuple[str, ...]:
    """The stages that the latest retraining of this home has finished."""
    states = sorted((settings().home / "retraining").glob("*/state.json"), key=lambda path: path.stat().st_mtime)
    return tuple(json.loads(states[-1].read_text())) if states else ()


def decision(command: Sequence[str]) -> dict:
    """Run a retraining to its end; what `--json` says.

    Raises:
        RehearsalFailed: it came to no decision.
    """
    done = subprocess.run([*command, "--json"], capture_output=True, text=True)
    try:
        return dict(json.loads(done.stdout))
    except json.JSONDecodeError:
        raise RehearsalFailed(f"The retraining came to no decision: {done.stderr[-800:]}") from None


def weights_of(version: str) -> str:
    """The version of the weights that a version of the registry holds."""
    return registry.load_registered(registry.address(version)).version


def rollback() -> str:
    """`ionscout rollback conductivity`; the version that answers again.

    Raises:
        RehearsalFailed: it did not.
    """
    done = subprocess.run(ionscout("rollback", "conductivity", "--json"), capture_output=True, text=True)
    if done.returncode != 0:
        raise RehearsalFailed(f"The rollback failed: {done.stderr[-500:]}")
    return str(json.loads(done.stdout)["champion"])


def written(files: dict[str, str], folder: Path) -> list[str]:
    """`retrain` with these files as its options."""
    options = []
    for name, text in files.items():
        path = folder / f"{name}.yaml"
        path.write_text(text)
        options += [f"--{name}", str(path)]
    return ionscout("retrain", "conductivity", *options)
