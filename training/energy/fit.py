"""Fit the energy GNN: one function, two fits (with held-out compositions, and to everything)."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import mlflow
import numpy as np
import torch
from mlflow.data.numpy_dataset import from_numpy
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ionscout.datasets.settings import settings
from ionscout.models.energy.network import PROPERTIES, EnergyNet, EnergyNetConfig
from ionscout.training.energy.batches import batches, mean_draws
from ionscout.training.energy.config import FitConfig, load_config
from ionscout.training.energy.data import CompositionTable, load_table, split_holdout
from ionscout.training.overrides import flat
from ionscout.training.tracking import log_config
from ionscout.training.tracking import run as tracked_run

_WARMUP = 0.02  # share of a fit; Muon diverges in the first steps at the full rate
_HUBER = 0.1  # eV/atom; decomposition energies have a long tail of impossible compounds
_SAVE_EVERY = 60.0  # s; so much is lost when a fit is stopped


@dataclass(frozen=True)
class FittedMember:
    """One network of the ensemble: its averaged weights on disk, and the mean training error of the last epoch."""

    weights: Path
    member: int
    last_error: float  # eV/atom, over the draws of the last epoch, before averaging the weights


@dataclass
class _State:
    """What a checkpoint keeps. The optimisers' momenta are not in it: they are back after a few dozen steps."""

    net: EnergyNet
    mean: EnergyNet  # running mean of the weights; this is what is shipped
    progress: float = 0.0  # share of the fit that is done


def fit_folder() -> Path:
    """Where unfinished and finished fits are kept: `mlruns/energy` in the home folder, ignored by git."""
    folder = settings().home / "mlruns" / "energy"
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
) -> list[FittedMember]:
    """Fit the members of one ensemble, tracked in MLflow; a stopped fit goes on from its last checkpoint.

    Args:
        holdout: True leaves out `holdout_share` of the compositions; False uses all and starts from the held-out
            fit's weights where these exist.
        members: which members; default all of the config, of the held-out fit the first `holdout_members`.
        minutes: wall-clock budget per member. The learning rate falls with the share of the budget (or of the
            epochs, whichever is further), so a short fit is still a finished one.
    """
    config = config or load_config()
    table = load_table() if table is None else table
    kind = "holdout" if holdout else "full"
    train = ~split_holdout(table, config.holdout_share, config.seed) if holdout else np.ones(len(table), dtype=bool)
    fitted = []
    count = config.holdout_members if holdout else config.members
    for member in members if members is not None else range(count):
        parameters = flat(config) | {"fit": kind, "member": member, "minutes": minutes}
        with tracked_run("energy", f"{kind}-{member}", parameters):
            log_config(config)
            # MLflow keeps 36 characters of a digest; the whole hash is a tag
            data = from_numpy(table.targets[train], name="compositions", digest=table.digest[:32])
            mlflow.log_input(data, context=kind, tags={"sha256": table.digest, "split": f"seed {config.seed}"})
            fitted.append(_fit_member(config, table, train, kind, member, minutes, quiet))
            mlflow.log_artifact(str(fitted[-1].weights))
    return fitted


def _fit_member(
    config: FitConfig,
    table: CompositionTable,
    train: np.ndarray,
    kind: str,
    member: int,
    minutes: float | None,
    quiet: bool,
) -> FittedMember:
    path = fit_folder() / f"{kind}-{member}.safetensors"
    partial = path.with_suffix(".partial.safetensors")
    start = _start(member) if kind == "full" else None
    seed = config.seed + 1000 * member + (kind == "full")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    state = _restore(EnergyNetConfig(width=config.width, layers=config.layers), partial, start)
    forward = torch.compile(state.net, dynamic=False) if config.compile else state.net
    optimizers = _optimizers(state.net, config, config.restart if start else 1.0)
    draws = mean_draws(table, config.draws) * train
    z, fraction, targets = (torch.from_numpy(x) for x in (table.z, table.fraction, table.targets))
    weights = torch.tensor([getattr(config.loss, name) for name in PROPERTIES])

    steps = (config.epochs_full if kind == "full" else config.epochs_holdout) * draws.sum() / config.batch
    done, begun, saved = state.progress, time.monotonic(), time.monotonic()
    step, epoch, error = 0, 0, float("nan")
    with _shown(path.stem, quiet) as show:
        while state.progress < 1:
            errors = []
            for rows, width in batches(table, draws, config.batch, rng):
                spent = (time.monotonic() - begun) / (60 * minutes) if minutes else 0.0
                state.progress = done + max(step / steps, (1 - done) * spent)
                if state.progress >= 1:
                    break
                for optimizer, rate in optimizers:
                    for group in optimizer.param_groups:
                        group["lr"] = rate * min((step + 1) / (_WARMUP * steps + 1), 1 - state.progress)
                with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
                    predicted = forward(z[rows, :width], fraction[rows, :width])
                _descend(_loss(predicted, targets[rows], weights), state, optimizers)
                # the mean starts short, so that it forgets the first steps, and grows to its full length
                _average(state, min(config.average, (step + 1) / (step + 10)))
                errors.append(float((predicted[:, 0].detach() - targets[rows, 0]).abs().nanmean()))
                step += 1
                show(state.progress, "")
                if time.monotonic() - saved > _SAVE_EVERY:
                    _save(partial, state)
                    saved = time.monotonic()
            if errors:
                error, epoch = float(np.nanmean(errors)), epoch + 1
                metrics = {"train_error_meV_atom": 1e3 * error, "progress": state.progress}
                mlflow.log_metrics(metrics, step=step)
                show(state.progress, f"epoch {epoch}: {1e3 * error:.1f} meV/atom")
    save_file(dict(state.mean.state_dict()), path, metadata={"config": json.dumps(asdict(state.net.config))})
    partial.unlink(missing_ok=True)
    return FittedMember(path, member, error)


def _start(member: int) -> Path | None:
    """The held-out weights that a member of the full fit starts from: its own, or the first member's."""
    files = [fit_folder() / f"holdout-{k}.safetensors" for k in (member, 0)]
    return next((file for file in files if file.is_file()), None)


def _restore(size: EnergyNetConfig, partial: Path, start: Path | None) -> _State:
    """The last checkpoint of this fit, else the weights it starts from, else random ones."""
    state = _State(EnergyNet(size), EnergyNet(size).requires_grad_(False))
    if partial.is_file():
        kept = load_file(partial)
        state.progress = float(kept.pop("progress"))
        state.net.load_state_dict({k[4:]: v for k, v in kept.items() if k.startswith("net.")})
        state.mean.load_state_dict({k[5:]: v for k, v in kept.items() if k.startswith("mean.")})
        return state
    if start is not None:
        state.net.load_state_dict(load_file(start))
    state.mean.load_state_dict(state.net.state_dict())
    return state


def _save(path: Path, state: _State) -> None:
    kept = {f"net.{k}": v for k, v in state.net.state_dict().items()}
    kept |= {f"mean.{k}": v for k, v in state.mean.state_dict().items()}
    part = path.with_suffix(".tmp")
    save_file(kept | {"progress": torch.tensor(state.progress, dtype=torch.float64)}, part)
    part.replace(path)  # never leave half a file behind


def _loss(predicted: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted sum of the mean absolute errors (Huber for decomposition energies) over the known targets."""
    known = torch.isfinite(target)
    difference = (predicted - target.nan_to_num()).abs() * known
    huber = torch.where(difference < _HUBER, difference.square() / (2 * _HUBER), difference - _HUBER / 2)
    k = PROPERTIES.index("decomposition_energy")
    cost = torch.cat([difference[:, :k], huber[:, k : k + 1], difference[:, k + 1 :]], dim=1)
    return (weights * cost.sum(0) / len(target)).sum()


def _optimizers(net: EnergyNet, config: FitConfig, scale: float) -> list[tuple[torch.optim.Optimizer, float]]:
    """Muon (orthogonalised momentum) for the matrices of the hidden layers, AdamW for the rest, with their rates."""
    hidden = [
        p
        for name, p in net.named_parameters()
        if p.ndim == 2
        and name.startswith(("layers", "value", "trunk"))
        and not name.endswith(("attention.weight", "edge.weight"))
    ]
    chosen = {id(p) for p in hidden}
    rest = [p for p in net.parameters() if id(p) not in chosen]
    decay = config.weight_decay
    muon = torch.optim.Muon(hidden, lr=config.muon_rate, weight_decay=decay)
    adam = torch.optim.AdamW(rest, lr=config.adam_rate, weight_decay=decay, betas=(0.9, 0.98), fused=True)
    return [(muon, scale * config.muon_rate), (adam, scale * config.adam_rate)]


def _descend(loss: Tensor, state: _State, optimizers: list[tuple[torch.optim.Optimizer, float]]) -> None:
    for optimizer, _ in optimizers:
        optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(state.net.parameters(), 1.0)
    for optimizer, _ in optimizers:
        optimizer.step()


@torch.no_grad()
def _average(state: _State, decay: float) -> None:
    torch._foreach_lerp_(list(state.mean.parameters()), list(state.net.parameters()), 1 - decay)


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
