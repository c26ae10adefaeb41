"""Fit the energy GNN: one function, two fits (with held-out compositions, and to everything)."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import mlflow
import numpy as np
from mlflow.data.numpy_dataset import from_numpy
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch import Tensor

from ionscout.datasets.settings import settings
from ionscout.models.energy.network import EnergyNetConfig
from ionscout.training.energy.config import FitConfig, load_config
from ionscout.training.energy.data import CompositionTable, load_table, split_holdout
from ionscout.training.energy.descent import Descended, Recorder, Work, descend
from ionscout.training.overrides import flat
from ionscout.training.tracking import log_config
from ionscout.training.tracking import run as tracked_run


@dataclass(frozen=True)
class FittedMember:
    """One network of the ensemble: its averaged weights on disk, and the mean training error of the last epoch."""

    weights: Path
    member: int
    last_error: float  # eV/atom, over the draws of the last epoch, before averaging the weights


Fit = Callable[[Work, Recorder], Descended]


def fit_folder(config: FitConfig, table: CompositionTable) -> Path:
    """Where fits of this configuration to this data are kept, so that a stopped one goes on from its own kind alone.

    A folder under `mlruns/energy` in the home folder, ignored by git.
    """
    key = hashlib.sha256(f"{config.model_dump_json()} {table.digest}".encode()).hexdigest()[:12]
    folder = settings().home / "mlruns" / "energy" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(
    config: FitConfig | None = None,
    *,
    holdout: bool,
    members: list[int] | None = None,
    minutes: float | None = None,
    quiet: bool = False,
    table: CompositionTable | None = None,
    fit: Fit = descend,
) -> list[FittedMember]:
    """Fit the members of one ensemble, tracked in MLflow; a stopped fit goes on from its last checkpoint.

    Args:
        holdout: True leaves out `holdout_share` of the compositions; False uses all and starts from the held-out
            fit's weights where these exist.
        members: which members; default all of the config, of the held-out fit the first `holdout_members`.
        minutes: wall-clock budget per member. The learning rate falls with the share of the budget (or of the
            epochs, whichever is further), so a short fit is still a finished one.
        fit: what does a fit; `RayRanks(engine).descend` shares each batch out over a cluster.

    Raises:
        BadData: an earlier fit that this one would go on from has another shape.
    """
    config = config or load_config()
    table = load_table() if table is None else table
    kind = "holdout" if holdout else "full"
    train = ~split_holdout(table, config.holdout_share, config.seed) if holdout else np.ones(len(table), dtype=bool)
    fitted = []
    count = config.holdout_members if holdout else config.members
    folder = fit_folder(config, table)
    for member in members if members is not None else range(count):
        parameters = flat(config) | {"fit": kind, "member": member, "minutes": minutes}
        with tracked_run("energy", f"{kind}-{member}", parameters):
            log_config(config)
            # MLflow keeps 36 characters of a digest; the whole hash is a tag
            data = from_numpy(table.targets[train], name="compositions", digest=table.digest[:32])
            mlflow.log_input(data, context=kind, tags={"sha256": table.digest, "split": f"seed {config.seed}"})
            path = folder / f"{kind}-{member}.safetensors"
            work = _work(path, config, table, train, kind, member, minutes)
            with _shown(path.stem, quiet) as show:
                done = fit(work, _Recorder(path, show))
            _finish(work, path, done)
            fitted.append(FittedMember(path, member, done.last_error))
            mlflow.log_artifact(str(fitted[-1].weights))
    return fitted


def _work(
    path: Path,
    config: FitConfig,
    table: CompositionTable,
    train: np.ndarray,
    kind: str,
    member: int,
    minutes: float | None,
) -> Work:
    """The fit of the member that `path` will hold, from its last checkpoint if it was stopped."""
    partial = _partial(path)
    start = _start(path.parent, member) if kind == "full" else None
    file = partial if partial.is_file() else start
    return Work(
        config,
        table,
        train,
        epochs=config.epochs_full if kind == "full" else config.epochs_holdout,
        seed=config.seed + 1000 * member + (kind == "full"),
        restart=config.restart if start else 1.0,
        weights=None if file is None else load_file(file),
        minutes=minutes,
    )


def _partial(path: Path) -> Path:
    return path.with_suffix(".partial.safetensors")


def _start(folder: Path, member: int) -> Path | None:
    """The held-out weights that a member of the full fit starts from: its own, or the first member's."""
    files = [folder / f"holdout-{k}.safetensors" for k in (member, 0)]
    return next((file for file in files if file.is_file()), None)


def _finish(work: Work, path: Path, done: Descended) -> None:
    size = asdict(EnergyNetConfig(width=work.config.width, layers=work.config.layers))
    save_file(done.weights, path, metadata={"config": json.dumps(size)})
    _partial(path).unlink(missing_ok=True)


class _Recorder:
    """Progress to the terminal, errors to MLflow, checkpoints to the disk."""

    def __init__(self, path: Path, show: Callable[[float, str], None]) -> None:
        self._path, self._show = path, show

    def step(self, progress: float) -> None:
        self._show(progress, "")

    def epoch(self, number: int, step: int, progress: float, error: float) -> None:
        mlflow.log_metrics({"train_error_meV_atom": 1e3 * error, "progress": progress}, step=step)
        self._show(progress, f"epoch {number}: {1e3 * error:.1f} meV/atom")

    def keep(self, tensors: dict[str, Tensor]) -> None:
        part = self._path.with_suffix(".tmp")
        save_file(tensors, part)
        part.replace(_partial(self._path))  # never leave half a file behind


@contextmanager
def _shown(name: str, quiet: bool) -> Iterator:
    """A progress bar on a terminal, a line per epoch elsewhere, nothing when quiet."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}")
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(name, total=1.0, note="")

        def show(progress: float, note: str) -> None:
            bar.update(task, completed=progress)
            if note:
                bar.update(task, note=note)
            if note and not quiet and not console.is_terminal:
                console.print(f"{name} {progress:.0%} {note}")

        yield show
