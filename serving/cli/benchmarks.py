"""`ionscout benchmark windows | interfaces | interphase | speed`: the thermodynamics against published values."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from ionscout.serving.cli import rehearsal
from ionscout.serving.cli.inputs import Json, Plot, progress_bar

Reference = Annotated[Path, typer.Option("--reference", help="CSV of published values.")]
HullOption = Annotated[
    str | None, typer.Option("--hull", help="mp-2019, learned or mp-api; default: the best one here.")
]
Reports = Annotated[Path | None, typer.Option("--out", help="Folder for the report (.md and .json).")]


def register(benchmarks: typer.Typer) -> None:
    benchmarks.command("windows")(windows)
    benchmarks.command("interfaces")(interfaces)
    benchmarks.command("interphase")(interphase)
    benchmarks.command("speed")(speed)
    benchmarks.command("fast-update")(fast_update)
    benchmarks.command("campaign")(campaign)
    benchmarks.command("active-learning")(active_learning)
    benchmarks.command("graph-only")(graph_only)
    benchmarks.command("structure-pretraining")(structure_pretraining)
    benchmarks.command("series")(series)
    benchmarks.command("temperatures")(temperatures)
    rehearsal.register(benchmarks)


def windows(reference: Reference, hull: HullOption = None, output: Reports = None, as_json: Json = False) -> None:
    """Reduction and oxidation limits. CSV columns: formula, V_red, V_ox."""
    from ionscout.training.benchmarks.windows import markdown, run

    result = run(reference, hull)
    _report("windows", result.hull, result.as_dict(), markdown(result), output, as_json)


def interfaces(reference: Reference, hull: HullOption = None, output: Reports = None, as_json: Json = False) -> None:
    """Closed reaction energies, cathodes lithiated and half delithiated. CSV columns as in the reference table."""
    from ionscout.training.benchmarks.interfaces import markdown, run

    result = run(reference, hull)
    _report("interfaces", result.hull, result.as_dict(), markdown(result), output, as_json)


def interphase(
    hull: HullOption = None,
    funnel: Annotated[
        bool, typer.Option(help="Send all lithium compounds through the coating funnel; minutes.")
    ] = True,
    output: Reports = None,
    as_json: Json = False,
) -> None:
    """Interphase classes, coatings and stability maps as experiments and reviews have them, on every hull here."""
    from ionscout.training.benchmarks.interphase import markdown, run

    with progress_bar("Working", as_json):
        results = run(None if hull is None else [hull], funnel=funnel)
    report = {"hulls": [asdict(result) for result in results]}
    _report(
        "interphase", "mp-2019" if len(results) > 1 else results[0].hull, report, markdown(results), output, as_json
    )


def speed(hull: HullOption = None, output: Reports = None, as_json: Json = False) -> None:
    """Window, interface and matrix from a cold start, beside pymatgen on the same phases; about a minute."""
    from ionscout.training.benchmarks.thermo_speed import markdown, run

    with progress_bar("Timing", as_json):
        result = run(hull)
    page = markdown(result)
    _report("thermo_speed", result.hull, result.as_dict(), page, output, as_json)


def fast_update(output: Reports = None, as_json: Json = False) -> None:
    """What a few observations correct at once, with kernels beside the one in use; about two minutes."""
    from ionscout.training.benchmarks.fast_update import as_dict, markdown, run

    with progress_bar("Forests", as_json) as step:
        gains = run(progress=step)
    _report("fast_update", "mp-2019", as_dict(gains), markdown(gains), output, as_json)


def active_learning(
    data: Annotated[Path | None, typer.Option("--data", help="OBELiX folder; default: IONSCOUT_DATA_DIR.")] = None,
    seeds: Annotated[int, typer.Option(help="Campaigns of each strategy in each pool.")] = 20,
    output: Reports = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Measurements that the campaign loop saves against random choice, cold and warm; about ten minutes."""
    from ionscout.serving.acquisition_figure import acquisition_figure
    from ionscout.training.benchmarks.active_learning import run
    from ionscout.training.benchmarks.active_learning_page import SHOWN, markdown

    with progress_bar("Playing campaigns", as_json) as step:
        result = run(data, seeds, on_step=step)
    if plot is not None:
        curves = {name: result.curves[name] for name in SHOWN}
        acquisition_figure(curves, plot, "Cold campaigns on OBELiX", chance=result.random_hits["cold"])
    linked = None if plot is None or output is None else os.path.relpath(plot, output)
    _report("active_learning", "mp-2019", result.as_dict(), markdown(result, linked), output, as_json)


def graph_only(output: Reports = None, as_json: Json = False) -> None:
    """Structure alone against CGCNN and the published forest, with its ablations; about an hour on one core."""
    from ionscout.training.benchmarks.graph_only import markdown, run

    with progress_bar("Cross-validations", as_json) as step:
        found = run(on_step=step)
    _report("graph_only", "mp-2019", found.as_dict(), markdown(found), output, as_json)


def structure_pretraining(
    epochs: Annotated[int, typer.Option(min=1, help="Of pre-training.")] = 15,
    output: Reports = None,
    as_json: Json = False,
) -> None:
    """Crystal encoder pre-trained on the shared crystals against none, on the same folds; a quarter of an hour."""
    from ionscout.training.benchmarks.structure_pretraining import markdown, run
    from ionscout.training.config import ConductivityConfig, read_config

    with progress_bar("Epochs and fits", as_json) as step:
        found = run(read_config(ConductivityConfig, None, "conductivity"), epochs, on_step=step)
    page = markdown(found, "ionscout benchmark structure-pretraining --out benchmarks")
    _report("structure_pretraining", "mp-2019", found, page, output, as_json)


def series(output: Reports = None, as_json: Json = False) -> None:
    """Whether real series are ordered right, over all tables, out of fold and with whole series held out; minutes."""
    from ionscout.training.benchmarks import joined_series

    _over_all_tables("series", joined_series, output, as_json)


def temperatures(output: Reports = None, as_json: Json = False) -> None:
    """How good predictions away from room temperature are, over all tables, held out by publication; minutes."""
    from ionscout.training.benchmarks import temperatures as benchmark

    _over_all_tables("temperatures", benchmark, output, as_json)


def _over_all_tables(name: str, benchmark: ModuleType, output: Path | None, as_json: bool) -> None:
    """A report whose process is fitted anew in every fold of the joined table."""
    from ionscout.training.config import ConductivityConfig, read_config

    with progress_bar("Folds", as_json) as step:
        found = benchmark.run(read_config(ConductivityConfig, None, "conductivity"), step)
    page = benchmark.markdown(found, f"ionscout benchmark {name} --out benchmarks")
    _report(name, "mp-2019", found, page, output, as_json)


def campaign(
    rounds: Annotated[int, typer.Option(min=1, help="Batches.")] = 3,
    per_round: Annotated[int, typer.Option("-n", "--number", min=1, max=96, help="Suggestions in one.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the split and the suggestions.")] = 0,
    output: Reports = None,
    as_json: Json = False,
) -> None:
    """Rehearse a campaign over HTTP with measurements that the model has not seen; logged in MLflow."""
    from ionscout.serving.campaign_rehearsal import run
    from ionscout.serving.campaign_rehearsal_page import as_dict, markdown

    with progress_bar("Rounds", as_json) as step:
        found = run(rounds, per_round, seed, on_round=lambda done: step(done, rounds))
    _report("campaign", "mp-2019", as_dict(found), markdown(found), output, as_json)


def _report(name: str, hull: str, report: dict[str, Any], page: str, folder: Path | None, as_json: bool) -> None:
    """Print one report, and write it where a folder is given; names of other hulls than mp-2019 carry the hull."""
    from ionscout.training.benchmarks.thermo_report import write_report

    if folder is not None:
        write_report(name if hull == "mp-2019" else f"{name}-{hull}", report, page, folder)
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) if as_json else page)
