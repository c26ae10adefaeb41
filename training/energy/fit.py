"""Fit the energy GNN: one function, two fits (with held-out compositions, and to everything)."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import mlflow
import numpy as np
import torch
import yaml
from mlflow.data.numpy_dataset import from_numpy
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ionscout.datasets.settings import settings
from ionscout.models.energy.network import PROPERTIES, EnergyNet, EnergyNetConfig
from ionscout.training.energy.data import CompositionTable, load_table, split_holdout
from ionscout.training.tracking import run as tracked_run

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "energy.yaml"
_WARMUP = 0.02  # share of a fit; Muon diverges in the first steps at the full rate
_HUBER = 0.1  # eV/atom; decomposition energies have a long tail of impossible compounds
_SAVE_EVERY = 60.0  # s; so much is lost when a fit is stopped


@dataclass(frozen=True)
class FitConfig:
    """What `training/configs/energy.yaml` holds.

    Attributes:
        holdout_share: share of the compositions that the held-out fit never sees.
        holdout_members: how many members the held-out fit has.
        epochs_holdout, epochs_full: passes per member; the full fit starts from the weights of the held-out one.
        restart: share of the learning rates that a fit begins with when it starts from the weights of another one.
        draws: mean number of times a composition of each kind is drawn per epoch.
        loss: weight of each property.
    """

    seed: int
    members: int
    width: int
    layers: int
    holdout_share: float
    holdout_members: int
    batch: int
    epochs_holdout: int
    epochs_full: int
    muon_rate: float
    adam_rate: float
    restart: float
    weight_decay: float
    average: float
    bfloat16: bool
    compile: bool
    draws: dict[str, float]
    loss: dict[str, float]


@dataclass(frozen=True)
class FittedMember:
    """One network of the ensemble: its averaged weights on disk, and the mean training error of the last epoch."""

    weights: Path
    member: int
    last_error: float  # eV/atom, over the draws of the last epoch, before averaging the weights


def load_config(path: Path = CONFIG) -> FitConfig:
    return FitConfig(**yaml.safe_load(path.read_text()))


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
    """Fit the members of one ensemble, tracked in MLflow; a stopped fit goes on where it was.

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
        path = fit_folder() / f"{kind}-{member}.safetensors"
        # a member without a held-out fit of its own starts from the first one's weights, with draws of its own
        starts = [fit_folder() / f"holdout-{k}.safetensors" for k in (member, 0)]
        start = next((file for file in starts if file.is_file()), starts[0])
        parameters = asdict(config) | {"fit": kind, "member": member, "minutes": minutes}
        with tracked_run("energy", f"{kind}-{member}", parameters):
            # MLflow keeps 36 characters of a digest; the whole hash is a tag
            data = from_numpy(table.targets[train], name="compositions", digest=table.digest[:32])
            mlflow.log_input(data, context=kind, tags={"sha256": table.digest, "split": f"seed {config.seed}"})
            fitted.append(_fit_member(config, table, train, member, path, None if holdout else start, minutes, quiet))
            mlflow.log_artifact(str(path))
    return fitted


def _fit_member(
    config: FitConfig,
    table: CompositionTable,
    train: np.ndarray,
    member: int,
    path: Path,
    start: Path | None,
    minutes: float | None,
    quiet: bool,
) -> FittedMember:
    seed = config.seed + 1000 * member + (0 if start is None else 1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = EnergyNet(EnergyNetConfig(width=config.width, layers=config.layers))
    mean = EnergyNet(net.config).requires_grad_(False)
    partial = path.with_suffix(".partial.safetensors")
    warm = start if start is not None and start.is_file() else None
    scale = config.restart if warm else 1.0
    done = 0.0
    if partial.is_file():
        state = load_file(partial)
        done = float(state.pop("progress"))
        net.load_state_dict({k[4:]: v for k, v in state.items() if k.startswith("net.")})
        mean.load_state_dict({k[5:]: v for k, v in state.items() if k.startswith("mean.")})
    else:
        if warm:
            net.load_state_dict(load_file(warm))
        mean.load_state_dict(net.state_dict())
    forward = torch.compile(net, dynamic=False) if config.compile else net
    optimizers = _optimizers(net, config)
    draws = _draws(table, config) * train
    z, fraction, targets = (torch.from_numpy(x) for x in (table.z, table.fraction, table.targets))
    weights = torch.tensor([config.loss[name] for name in PROPERTIES])

    epochs = config.epochs_holdout if start is None else config.epochs_full
    steps = epochs * draws.sum() / config.batch
    begun, saved, step, error = time.monotonic(), time.monotonic(), 0, float("nan")
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[error]}")
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(path.stem, total=1.0, error="")
        progress, epoch = done, 0
        while progress < 1:
            errors = []
            for rows, width in _batches(table, draws, config.batch, rng):
                spent = (time.monotonic() - begun) / (60 * minutes) if minutes else 0.0
                progress = done + (1 - done) * max(step / (steps * (1 - done)), spent)
                if progress >= 1:
                    break
                for optimizer, rate in optimizers:
                    for group in optimizer.param_groups:
                        group["lr"] = scale * rate * min((step + 1) / (_WARMUP * steps + 1), 1 - progress)
                with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
                    predicted = forward(z[rows, :width], fraction[rows, :width])
                loss = _loss(predicted, targets[rows], weights)
                for optimizer, _ in optimizers:
                    optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                for optimizer, _ in optimizers:
                    optimizer.step()
                # the mean starts short, so that it forgets the first steps, and grows to its full length
                decay = min(config.average, (step + 1) / (step + 10))
                with torch.no_grad():
                    torch._foreach_lerp_(list(mean.parameters()), list(net.parameters()), 1 - decay)
                difference = (predicted[:, 0].detach() - targets[rows, 0]).abs()
                errors.append(float(difference.nanmean()))
                step += 1
                bar.update(task, completed=progress)
                if time.monotonic() - saved > _SAVE_EVERY:
                    _save(partial, net, mean, progress)
                    saved = time.monotonic()
            if errors:
                error, epoch = float(np.nanmean(errors)), epoch + 1
                mlflow.log_metrics({"train_error_meV_atom": 1e3 * error, "progress": progress}, step=step)
                bar.update(task, error=f"{1e3 * error:.1f} meV/atom")
                if not console.is_terminal and not quiet:
                    console.print(f"{path.stem} epoch {epoch} step {step} {progress:.3f} {1e3 * error:.1f} meV/atom")
    save_file(dict(mean.state_dict()), path, metadata={"config": json.dumps(asdict(net.config))})
    partial.unlink(missing_ok=True)
    return FittedMember(path, member, error)


def _loss(predicted: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted sum of the mean absolute errors (Huber for decomposition energies) over the known targets."""
    known = torch.isfinite(target)
    difference = (predicted - target.nan_to_num()).abs() * known
    huber = torch.where(difference < _HUBER, difference.square() / (2 * _HUBER), difference - _HUBER / 2)
    k = PROPERTIES.index("decomposition_energy")
    cost = torch.cat([difference[:, :k], huber[:, k : k + 1], difference[:, k + 1 :]], dim=1)
    return (weights * cost.sum(0) / len(target)).sum()


def _draws(table: CompositionTable, config: FitConfig) -> np.ndarray:
    """Mean number of draws of each row per epoch, [N]."""
    stable, battery, d = table.stable, table.battery, config.draws
    kinds = np.where(battery, d["battery"], np.where(stable, d["stable"], d["other"]))
    return np.where(table.known, np.where(stable & battery, d["stable_battery"], kinds), d["gap_only"])


def _batches(
    table: CompositionTable, draws: np.ndarray, size: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, int]]:
    """Random batches of rows with (almost) equal numbers of elements, which leaves next to no padding."""
    counts = np.floor(draws).astype(int) + (rng.random(len(draws)) < draws % 1)
    rows = rng.permutation(np.repeat(np.arange(len(draws)), counts))
    rows = rows[: max(size, len(rows) // size * size)]  # whole batches only, so that torch.compile sees few shapes
    elements = table.element_count
    rows = rows[np.argsort(elements[rows], kind="stable")]
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    for i in rng.permutation(len(batches)):
        widest = int(elements[batches[i]].max())
        yield torch.from_numpy(batches[i]), widest if widest < 6 else elements.max()


def _optimizers(net: EnergyNet, config: FitConfig) -> list[tuple[torch.optim.Optimizer, float]]:
    """Muon (orthogonalised momentum) for the square-ish matrices of the hidden layers, AdamW for everything else."""
    hidden = [
        p
        for name, p in net.named_parameters()
        if p.ndim == 2
        and name.startswith(("layers", "value", "trunk"))
        and not name.endswith(("attention.weight", "edge.weight"))
    ]
    chosen = {id(p) for p in hidden}
    rest = [p for p in net.parameters() if id(p) not in chosen]
    return [
        (torch.optim.Muon(hidden, lr=config.muon_rate, weight_decay=config.weight_decay), config.muon_rate),
        (
            torch.optim.AdamW(
                rest, lr=config.adam_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98), fused=True
            ),
            config.adam_rate,
        ),
    ]


def _save(path: Path, net: EnergyNet, mean: EnergyNet, progress: float) -> None:
    state = {f"net.{k}": v for k, v in net.state_dict().items()} | {
        f"mean.{k}": v for k, v in mean.state_dict().items()
    }
    part = path.with_suffix(".tmp")
    save_file(state | {"progress": torch.tensor(progress, dtype=torch.float64)}, part)
    part.replace(path)  # never leave half a file behind
