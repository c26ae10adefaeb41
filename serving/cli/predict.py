"""`ionscout predict`: conductivity of files, folders and formulas."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionscout.datasets.errors import BadFormula, IonscoutError, TextTooLarge, UnreadableStructure
from ionscout.models.conductivity.kinds import KIND, ConductivityKind

if TYPE_CHECKING:
    from ionscout.datasets.structure import Format, Material
    from ionscout.serving.answers import ThermodynamicsChoice
    from ionscout.serving.schemas import Prediction

SUFFIXES: dict[str, "Format"] = {".cif": "cif", ".vasp": "poscar", ".poscar": "poscar", ".json": "json"}
BATCH = 32  # crystals per call of the network: bounds memory, and the progress bar moves
EXPLAINED_BATCH = 4  # an explanation takes about a second


@dataclass(frozen=True)
class Source:
    """One thing to predict: a file, standard input, or a formula."""

    name: str
    path: Path | None = None
    formula: str | None = None


def register(app: typer.Typer) -> None:
    app.command("predict", no_args_is_help=True)(predict)


def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="CIF, POSCAR or pymatgen JSON files, folders of CIFs, formulas, or - for standard input."),
    ] = None,
    formula: Annotated[list[str] | None, typer.Option("--formula", "-f", help="A formula; may be repeated.")] = None,
    temperature: Annotated[float, typer.Option("--temperature", "-T", help="Temperature in kelvin.")] = 298.15,
    kind: Annotated[ConductivityKind, typer.Option(help=f"Conductivity: {KIND}")] = "total",
    thermodynamics: Annotated[
        bool, typer.Option(help="Add window, energy above hull and interphase with lithium.")
    ] = True,
    hull: Annotated[str | None, typer.Option(help="Hull of these: mp-2019, learned or mp-api.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say why: species, sites, lithium paths, nearest measured materials.")
    ] = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="With --explain: figure of it (png, svg, pdf).")] = None,
    arrhenius: Annotated[
        Path | None, typer.Option("--arrhenius", help="Figure of log σT against 1000/T with interval and measurements.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")] = False,
) -> None:
    """Predict ionic conductivity, with its 90 % interval, window and lithium interphase, from structures or formulas.

    With several inputs, good ones are answered, bad ones are reported on stderr and the exit code is 1. Figures are of
    one input.
    """
    from ionscout.serving.answers import ThermodynamicsChoice, check_temperature
    from ionscout.serving.cli import print_error
    from ionscout.serving.cli.explanations import draw, print_explanations
    from ionscout.serving.thermo_inputs import hull_named

    check_temperature(temperature)
    choice = ThermodynamicsChoice(thermodynamics, hull)
    if thermodynamics:
        hull_named(hull)  # a hull that does not exist is better said once than in a warning of every answer
    named = [Source(text, formula=text) for text in formula or ()]
    arguments = list(inputs or ())
    if not arguments and not named:
        raise typer.BadParameter("give at least one file, folder or formula")
    if plot is not None and not explain:
        raise typer.BadParameter("--plot draws what --explain says; give both")
    sources = [*expand(arguments), *named]
    if len(sources) > 1 and (plot is not None or arrhenius is not None):
        raise typer.BadParameter("--plot and --arrhenius draw one input; give one")
    failed = False
    good: list[tuple[str, Material]] = []
    for source in sources:
        try:
            good.append((source.name, read(source)))
        except (IonscoutError, OSError) as error:
            failed = True
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            print_error(f"{source.name}: {reason}")
    answers = list(_answers(good, Asked(temperature, kind, choice, explain), quiet=as_json)) if good else []
    if good:
        draw(good[0][1], answers[0][1], plot, arrhenius)
    alone = len(arguments) + len(named) == 1 and not any(Path(text).is_dir() for text in arguments)
    if as_json:
        _print_json(answers, alone)
    else:
        _print_table(answers)
        print_explanations(answers)
    if failed:
        raise typer.Exit(1)


def expand(arguments: list[str]) -> Iterator[Source]:
    """Files as they are, folders as the CIFs in them, anything else as a formula."""
    for text in arguments:
        path = Path(text)
        if text == "-":
            yield Source("-")
        elif path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".cif")
            yield from (Source(str(file), path=file) for file in files or [path])
        elif path.exists():
            yield Source(text, path=path)
        else:
            yield Source(text, formula=text)


def read(source: Source, *, need_lithium: bool = True) -> "Material":
    """Read and check one source.

    Args:
        need_lithium: refuse materials without lithium.

    Raises:
        InvalidInput: one of its subclasses.
        OSError: when the file cannot be opened.
    """
    from ionscout.datasets.structure import MAX_TEXT_BYTES, parse_material

    if source.formula is not None:
        try:
            return parse_material(source.formula, "formula", need_lithium=need_lithium)
        except BadFormula:
            if looks_like_path(source.formula):
                raise UnreadableStructure("There is no such file; check the path.") from None
            raise
    if source.path is not None and source.path.is_dir():
        raise UnreadableStructure("The folder has no .cif files; give the files by name.")
    if source.path is None:
        raw = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
    else:
        with source.path.open("rb") as file:
            raw = file.read(MAX_TEXT_BYTES + 1)
    if len(raw) > MAX_TEXT_BYTES:
        raise TextTooLarge("The file has more than 1 MB; give one crystal per file.")
    return parse_material(_decoded(raw), _format_of(source.path), need_lithium=need_lithium)


def _decoded(raw: bytes) -> str:
    """Text of a file: UTF-8, else Latin-1 as old CIFs have it.

    Raises:
        UnreadableStructure: when it holds control characters, so is no text.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if any(ord(char) < 32 and char not in "\t\n\r\f\v" for char in text):
        raise UnreadableStructure("This is a binary file; give a CIF, a POSCAR or a pymatgen JSON.")
    return text


def _format_of(path: Path | None) -> "Format | None":
    if path is None:
        return None
    if path.name.upper().startswith(("POSCAR", "CONTCAR")):
        return "poscar"
    return SUFFIXES.get(path.suffix.lower())


def looks_like_path(text: str) -> bool:
    return "/" in text or "\\" in text or Path(text).suffix.lower() in SUFFIXES


@dataclass(frozen=True)
class Asked:
    """What is wanted of every material."""

    temperature_K: float
    kind: ConductivityKind
    thermodynamics: "ThermodynamicsChoice"
    explain: bool


def _answers(materials: list[tuple[str, "Material"]], asked: Asked, quiet: bool) -> Iterator[tuple[str, "Prediction"]]:
    from rich.console import Console
    from rich.progress import track

    from ionscout.serving.answers import answer, load_predictor

    predictor = load_predictor()
    console = Console(stderr=True)
    size = EXPLAINED_BATCH if asked.explain else BATCH
    batches = [materials[i : i + size] for i in range(0, len(materials), size)]
    hidden = quiet or len(batches) < 2 or not console.is_terminal
    for batch in track(batches, "Predicting", console=console, disable=hidden, transient=True):
        n = len(batch)
        found = answer(
            predictor,
            [material for _, material in batch],
            [asked.temperature_K] * n,
            [asked.thermodynamics] * n,
            explained=[asked.explain] * n,
            kinds=[asked.kind] * n,
        )
        yield from zip((name for name, _ in batch), found, strict=True)


def _print_json(answers: list[tuple[str, "Prediction"]], alone: bool) -> None:
    """One object for one input, a list otherwise, each the body of `POST /predict` plus its `source`."""
    content: Any = [{"source": name, **prediction.model_dump(mode="json")} for name, prediction in answers]
    if alone:
        if not content:
            return
        content = content[0]
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def _print_table(answers: list[tuple[str, "Prediction"]]) -> None:
    if not answers:
        return
    from rich.console import Console
    from rich.table import Table

    first = answers[0][1].conductivity
    what = f"{first.kind.capitalize()} ionic conductivity at {first.temperature_K:g} K, S/cm"
    table = Table(title=f"{what} ({first.model} {first.version})")
    for heading in ("input", "formula"):
        table.add_column(heading, overflow="fold")
    headings = ["predicted", f"{first.coverage:.0%} interval", "Ea/eV", "in domain", "read from"]
    with_thermodynamics = any(prediction.window is not None for _, prediction in answers)
    for heading in [*headings, *(["window/V", "above hull/eV", "on Li"] if with_thermodynamics else [])]:
        table.add_column(heading, no_wrap=True)
    for name, prediction in answers:
        found, energy = prediction.conductivity, prediction.activation_energy
        table.add_row(
            Path(name).name if name != "-" else name,
            prediction.formula,
            f"{found.value:.1e}",
            f"{found.lower:.0e}–{found.upper:.0e}",
            "–" if energy is None else f"{energy.value:.2f}",
            "yes" if found.in_domain else "no",
            found.path,
            *(_thermodynamic_cells(prediction) if with_thermodynamics else ()),
        )
    console = Console()
    if not console.is_terminal:
        console.width = 140  # a file or pipe has no width of its own
    console.print(table)
    hulls = {f"{p.window.hull} {p.window.hull_version}" for _, p in answers if p.window is not None}
    for hull in sorted(hulls):
        console.print(f"Window and interphase: hull {hull}", markup=False, highlight=False)
    notes = Console(stderr=True)
    for name, prediction in answers:
        for warning in prediction.warnings:
            notes.print(f"{name}: {warning}", style="yellow", markup=False, highlight=False)


def _thermodynamic_cells(prediction: "Prediction") -> tuple[str, str, str]:
    window, above, interphase = prediction.window, prediction.energy_above_hull, prediction.lithium_interphase
    limits = "–"
    if window is not None:
        top = "–" if window.oxidation_limit is None else f"{window.oxidation_limit:.2f}"
        limits = f"{window.reduction_limit:.2f}–{top}"
    return limits, "–" if above is None else f"{above:.3f}", "–" if interphase is None else interphase.interphase_class
