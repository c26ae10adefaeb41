"""`ionscout dopants`: which dopants of a host are worth making, and `ionscout benchmark dopants`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionscout.serving.cli.inputs import HullFile, HullOption, Json, Plot, composition_of, hull_of, progress_bar

if TYPE_CHECKING:
    from ionscout.serving.dopant_schemas import DopantsAnswer


def register(app: typer.Typer) -> None:
    app.command("dopants", no_args_is_help=True)(dopants)


def register_benchmark(benchmarks: typer.Typer) -> None:
    benchmarks.command("dopants")(benchmark)


def dopants(
    host: Annotated[str, typer.Argument(help="Structure file (disordered welcome) or formula.")],
    top: Annotated[int, typer.Option("--top", "-n", min=1, max=200, help="How many to show.")] = 20,
    elements: Annotated[
        str | None, typer.Option(help="Dopants to consider, separated by commas; default: all.")
    ] = None,
    exclude: Annotated[str | None, typer.Option(help="Dopants to leave out, separated by commas.")] = None,
    cathode: Annotated[
        str | None, typer.Option(help="Cathode to judge reactions with: NMC811, a formula, a file.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Kelvin.")] = 298.15,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            help="NAME or NAME=WEIGHT, may be repeated: conductivity, gain, site, realised, synthesisability, hull, "
            "lithium, reduction, oxidation, cathode, moisture, gap, price, toxicity, simplicity.",
        ),
    ] = None,
    constraint: Annotated[
        list[str] | None, typer.Option("--constraint", help="NAME>=VALUE or NAME<=VALUE, may be repeated.")
    ] = None,
    scan: Annotated[str | None, typer.Option(help="Follow one substitution, e.g. Cl:Br or Zr:Ta.")] = None,
    co_doping: Annotated[bool, typer.Option("--co-doping/--single", help="Pairs of dopants as well.")] = True,
    defects: Annotated[
        int, typer.Option(min=0, max=20, help="Defect energies from the potential for the best so many; minutes.")
    ] = 0,
    hull: HullOption = None,
    hull_file: HullFile = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Ranked dopants of a host: site, amount, charge compensation, conductivity, stability, all in one list.

    Conductivity is the model's and, as "expected", joined with what lithium content and site energies say. Ranked by a
    weighted score of all objectives; nothing is cut off unless a constraint demands it.
    """
    from ionscout.serving.campaign_inputs import asked
    from ionscout.serving.dopant_schemas import DopantsRequest

    request = asked(
        DopantsRequest,
        formula="Li",  # the host is read below, from a file or a formula
        top=top,
        elements=_listed(elements),
        excluded=_listed(exclude) or [],
        temperature_K=temperature,
        objectives=objective or [],
        constraints=constraint or [],
        co_doping=co_doping,
        scan=scan,
    )
    from ionscout.serving.answers import load_predictor
    from ionscout.serving.cli.predict import Source, read
    from ionscout.serving.dopant_answers import dopants_answer

    path = Path(host)
    is_file = host == "-" or path.exists()
    material = read(Source(host, path=None if host == "-" else path) if is_file else Source(host, formula=host))
    against = None if cathode is None else composition_of(cathode)
    chosen = hull_of(hull, hull_file)
    with _stages(as_json) as stage:
        answer = dopants_answer(material, chosen, load_predictor(), request, against, stage=stage)
    if plot is not None:
        from ionscout.serving.dopant_figures import dopants_figure

        dopants_figure(answer, plot)
    if defects:
        from ionscout.serving.dopant_defects import add_defects

        with progress_bar("Defect energies", as_json) as step:
            answer = add_defects(answer, material, chosen, defects, progress=step)
    if as_json:
        from ionscout.serving.cli.thermodynamics import print_json

        return print_json(answer)
    _print(answer)


def benchmark(
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference", help="CSV: dopant, substituted_site, sigma_ionic_S_cm; default: the shipped facts."
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Formula or structure file of the host.")] = "Li7La3Zr2O12",
    undoped: Annotated[
        float | None, typer.Option(help="S/cm of the undoped host, where the table does not say.")
    ] = None,
    hull: HullOption = None,
    output: Annotated[Path | None, typer.Option("--out", help="Folder for the report (.md and .json).")] = None,
    as_json: Json = False,
) -> None:
    """Site accuracy, tenfold gains and rank correlation of dopants, beside SMACT and pymatgen on the same list."""
    import json

    from ionscout.datasets.errors import OutOfRange
    from ionscout.serving.answers import load_predictor
    from ionscout.training.benchmarks.dopants import FACTS, markdown, run
    from ionscout.training.benchmarks.thermo_report import write_report

    if undoped is not None and not 0 < undoped < float("inf"):
        raise OutOfRange(f"The conductivity of the undoped host is {undoped:g} S/cm; give a positive number.")
    path = Path(host)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else host
    with progress_bar("Conductivity", as_json) as step:
        report = run(
            reference or FACTS, text, undoped=undoped, hull_name=hull, predictor=load_predictor(), progress=step
        )
    content, page = report.as_dict(), markdown(report)
    if output is not None:
        write_report("dopants", content, page, output)
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) if as_json else page)


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


@contextmanager
def _stages(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """One progress bar that changes its label from stage to stage; silent without a terminal or with --json."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as shown:
        task = shown.add_task("Candidates", total=None)
        yield lambda name, done, total: shown.update(task, description=name, completed=done, total=total or None)


def _print(answer: "DopantsAnswer") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Dopants of {answer.host} at {answer.temperature_K:g} K, S/cm (model {answer.model})")
    for heading, justify in (("", "right"), ("formula", "left"), ("mechanism", "left")):
        table.add_column(heading, overflow="fold", justify=justify)  # type: ignore[arg-type]
    for heading in ("expected", "model, interval", "site/eV", "above hull", "window/V", "on Li", "gap/eV", "price",
                    "score"):  # fmt: skip
        table.add_column(heading, no_wrap=True)
    for item in answer.ranked:
        sigma, stable = item.conductivity, item.stability
        limits = hull = lithium = gap = "–"
        if stable is not None:
            top = "–" if stable.oxidation_limit is None else f"{stable.oxidation_limit:.2f}"
            limits, hull = f"{stable.reduction_limit:.2f}–{top}", f"{stable.energy_above_hull:.3f}"
            lithium, gap = f"{stable.lithium_class} {stable.lithium_energy:.2f}", f"{stable.band_gap:.1f}"
        fit = sum(s.site_energy * s.amount for s in item.substitutions) / sum(s.amount for s in item.substitutions)
        table.add_row(
            f"{item.rank}{'*' if item.pareto else ''}", item.formula, item.mechanism, f"{sigma.expected:.1e}",
            f"{sigma.model:.1e}, {sigma.lower:.0e}–{sigma.upper:.0e}", f"{fit:.2f}", hull, limits, lithium, gap,
            f"{item.price_class}{'!' if item.toxicity == 'high' else ''}", f"{item.score:.2f}",
        )  # fmt: skip
    console = Console()
    if not console.is_terminal:
        console.width = 190  # a file or pipe has no width of its own
    console.print(table)
    for defect in answer.defects:
        by_potential = "no salt to compare with" if defect.relative is None else f"{defect.relative:+.2f} eV"
        console.print(
            f"{defect.dopant}{defect.state:+g} on {defect.site}: {by_potential} by {defect.potential}, "
            f"{defect.fast:+.2f} eV by the fast score, above the best site",
            markup=False, highlight=False,
        )  # fmt: skip
    lines = [
        f"{answer.candidates:,} candidates, {answer.scored} of them scored in full; * on the Pareto front, ! toxic. "
        f"Undoped host: {answer.host_conductivity:.1e} by the model, {answer.host_expected:.1e} expected. "
        f"Hull {answer.hull}."
    ]
    if answer.scan is not None:
        lines.append(f"{answer.scan.mechanism}: {answer.scan.note}")
    for line in lines:
        console.print(line, markup=False, highlight=False)
    notes = Console(stderr=True)
    for warning in answer.warnings:
        notes.print(warning, style="yellow", markup=False, highlight=False)
