"""`ionscout train | evaluate | benchmark`: make models, and measure them."""

import json
import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ionscout.datasets.errors import UnknownName
from ionscout.serving.cli import benchmarks as thermodynamic
from ionscout.serving.cli import dopants, latency, screen
from ionscout.serving.cli.engines import EngineOption, RayAddress, Workers, check_engine, engine_of
from ionscout.serving.cli.inputs import progress_bar

Data = Annotated[
    Path | None, typer.Option("--data", help="OBELiX folder, or a CSV of own measurements; default: IONSCOUT_DATA_DIR.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file; default: the shipped configuration.")]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="Change one field of the configuration: network.width=64; repeatable."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
Reports = Annotated[Path | None, typer.Option("--out", help="Folder for the report (.md and .json).")]


def register(app: typer.Typer) -> None:
    app.command("train", no_args_is_help=True)(train)
    app.command("evaluate", no_args_is_help=True)(evaluate)
    benchmarks = typer.Typer(help="Measure against the field's benchmarks, baselines beside.", no_args_is_help=True)
    benchmarks.command("obelix")(benchmark_obelix)
    benchmarks.command("conductivity")(benchmark_conductivity)
    benchmarks.command("energy")(benchmark_energy)
    benchmarks.command("measurements")(benchmark_measurements)
    latency.register(benchmarks)
    screen.register_benchmark(benchmarks)
    thermodynamic.register(benchmarks)
    dopants.register_benchmark(benchmarks)
    app.add_typer(benchmarks, name="benchmark")


def train(
    model: Annotated[str, typer.Argument(help="Which model: conductivity or energy.")],
    data: Data = None,
    config: ConfigFile = None,
    changes: Changes = None,
    output: Annotated[Path | None, typer.Option("--out", help="Folder for weights and card.")] = None,
    minutes: Annotated[float | None, typer.Option(help="energy: stop each fit after so long.")] = None,
    engine: EngineOption = "local",
    address: RayAddress = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Train a model and record it in MLflow.

    conductivity: grouped cross-validation, calibration, fit on everything; the result is registered, the first version
    as `champion`, later ones as `challenger`. energy: held-out fit and shipped fit on the Materials Project snapshot of
    IONSCOUT_DATA_DIR; without --out it writes the weights and the learned hull into the installed package. With
    --engine ray the networks of the first are fitted side by side (the same bits); each network of the second by all
    workers together.
    """
    check_engine(engine, address)
    if model not in ("conductivity", "energy"):
        raise UnknownName(f"Unknown model '{model}'; this command trains: conductivity, energy.")
    if output is not None:
        check_writable(output)
    if model == "energy":
        _train_energy(config, changes, minutes, output, engine, address, workers, as_json)
        return
    from ionscout.training.conductivity import train as fit
    from ionscout.training.conductivity import training_data
    from ionscout.training.config import ConductivityConfig, read_config

    settings = read_config(ConductivityConfig, config, "conductivity", changes or ())
    rows = training_data(data)
    with (
        engine_of(engine, address, workers, settings.workers) as running,
        progress("Fitting networks", quiet=as_json) as (start, advance),
    ):
        predictor = fit(rows, settings, output, start, advance, running)
    if as_json:
        typer.echo(json.dumps(predictor.card, indent=2))
        return
    scores = predictor.card["metrics_out_of_fold"]["as given"]
    typer.echo(f"conductivity {predictor.version}, trained on {predictor.card['trained_on']}; out of fold (decades):")
    for name in ("champion", "graph_only", "process_only"):
        s = scores[name]["all"]
        typer.echo(f"  {name:12} MAE P {s['mae_P']:.2f}  B {s['mae_B']:.2f}  C {s['mae_C']:.2f}")


def _train_energy(
    config: Path | None,
    changes: list[str] | None,
    minutes: float | None,
    output: Path | None,
    engine: str,
    address: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    from ionscout.models.energy.predictor import WEIGHTS
    from ionscout.training.energy import ship
    from ionscout.training.energy.config import load_config

    settings, folder = load_config(config, changes or ()), output.resolve() if output else WEIGHTS
    if output is None and (config or changes):
        raise typer.BadParameter("name a folder: a changed fit would replace the installed weights", param_hint="--out")
    if engine == "ray":
        from ionscout.training.energy.ray_ranks import RayRanks
        from ionscout.training.ray_engine import RayEngine

        with RayEngine(workers or (None if address else screen.cores()), address) as cluster:
            version = ship.train(settings, minutes, quiet=as_json, fit=RayRanks(cluster).descend, folder=folder)
    elif workers is not None:
        raise typer.BadParameter("energy: it belongs to --engine ray", param_hint="--workers")
    else:
        version = ship.train(settings, minutes, quiet=as_json, folder=folder)
    typer.echo(json.dumps({"name": "energy", "version": version}) if as_json else f"energy {version}")


def check_writable(folder: Path) -> None:
    """Make a folder for results, before hours of work that would have nowhere to go.

    Raises:
        OSError: when it cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def evaluate(
    model: Annotated[str, typer.Argument(help="Which model: conductivity.")],
    csv: Annotated[Path, typer.Option("--data", help="CSV of formula, conductivity_S_cm, …; structures in cifs/.")],
    uri: Annotated[str | None, typer.Option("--model", help="MLflow model; default: the shipped weights.")] = None,
    as_json: Json = False,
) -> None:
    """Score a model on your own measurements."""
    if model != "conductivity":
        raise UnknownName(f"Unknown model '{model}'; this command evaluates: conductivity.")
    from ionscout.datasets.sources.user import UserTable
    from ionscout.training.evaluate import evaluate_measurements
    from ionscout.training.registry import load_champion

    report = evaluate_measurements(load_champion(uri), UserTable(csv).load())
    _show(report, as_json, lambda: json.dumps(report, indent=2))


def benchmark_obelix(
    data: Annotated[Path | None, typer.Option("--data", help="OBELiX folder; default: IONSCOUT_DATA_DIR.")] = None,
    config: ConfigFile = None,
    changes: Changes = None,
    output: Reports = None,
    as_json: Json = False,
) -> None:
    """OBELiX: the official test part where the folder has it, else grouped cross-validation of the training part."""
    from ionscout.training.benchmarks import obelix
    from ionscout.training.config import ConductivityConfig, read_config

    settings = read_config(ConductivityConfig, config, "conductivity", changes or ())
    if output is not None:
        check_writable(output)
    with progress("Fitting networks", quiet=as_json) as (start, advance):
        report = obelix.run(data, settings, on_start=start, on_fit=advance)
    page = obelix.markdown(report, f"ionscout benchmark obelix{_chosen(config, changes)} --out benchmarks")
    if output is not None:
        write_report(output, "obelix", report, page)
    _show(report, as_json, lambda: page)


def benchmark_conductivity(
    config: ConfigFile = None,
    changes: Changes = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the folds; scores are means over them.")] = 2,
    output: Reports = None,
    as_json: Json = False,
) -> None:
    """Everything about the conductivity model on grouped folds: levers, families, intervals, series; about an hour."""
    from ionscout.training.benchmarks import conductivity, conductivity_page
    from ionscout.training.config import ConductivityConfig, read_config

    settings = read_config(ConductivityConfig, config, "conductivity", changes or ())
    if output is not None:
        check_writable(output)
    with progress_bar("Fitting", as_json) as step:
        report = conductivity.run(settings, seeds, step)
    command = f"ionscout benchmark conductivity{_chosen(config, changes)} --seeds {seeds} --out benchmarks"
    page = conductivity_page.markdown(report, command)
    if output is not None:
        write_report(output, "conductivity", report, page)
    _show(report, as_json, lambda: page)


def _chosen(config: Path | None, changes: list[str] | None) -> str:
    """The options that chose the configuration, for the command that a report names."""
    words = [] if config is None else ["--config", str(config)]
    for text in changes or ():
        words += ["--set", text]
    return "".join(f" {shlex.quote(word)}" for word in words)


def benchmark_energy(output: Reports = None, as_json: Json = False) -> None:
    """The energy network: held-out compositions beside a random forest, the stable phases, and the learned hull."""
    from ionscout.training.energy.evaluate import markdown, report

    result = report(folder=output)
    _show(asdict(result), as_json, lambda: markdown(result))


def benchmark_measurements(output: Reports = None, as_json: Json = False) -> None:
    """The tables of measurements: what cleaning did, copies, leaks between folds, and the noise of the labels."""
    from ionscout.training.benchmarks.measurements import markdown, run
    from ionscout.training.measurements import joined_table

    result = run(joined_table())
    page = markdown(result)
    if output is not None:
        write_report(output, "measurements", result.as_dict(), page)
    _show(result.as_dict(), as_json, lambda: page)


@contextmanager
def progress(label: str, quiet: bool) -> Iterator[tuple[Callable[[int], None], Callable[[], None]]]:
    """A progress bar on stderr, as (start with a total, advance by one); silent without a terminal or with --json."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)
        yield lambda total: bar.update(task, total=total), lambda: bar.advance(task)


def write_report(folder: Path, name: str, report: Any, page: str) -> None:
    """Write `name.json` and `name.md` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    (folder / f"{name}.md").write_text(page)


def _show(report: Any, as_json: bool, page: Callable[[], str]) -> None:
    typer.echo(json.dumps(report, indent=2) if as_json else page())
