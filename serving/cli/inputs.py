"""What the thermodynamic commands are asked about: a structure file, a catalogue name or a formula."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pymatgen.core import Composition

    from ionscout.datasets.hulls import Hull

HullOption = Annotated[str | None, typer.Option("--hull", help="mp-2019, learned, mp-api or file.")]
HullFile = Annotated[Path | None, typer.Option("--hull-file", help="Your own entries: CSV or pymatgen JSON.")]
Voltage = Annotated[float | None, typer.Option("--voltage", "-V", help="V vs Li/Li+, -1 to 8; default: closed.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
Plot = Annotated[Path | None, typer.Option("--plot", help="Write a figure (.png, .svg or .pdf).")]


def hull_of(name: str | None, path: Path | None) -> "Hull":
    """The hull that the options name.

    Raises:
        UnknownName, DataUnavailable, BadData.
    """
    from ionscout.serving.thermo_inputs import hull_named

    return hull_named(name, path)


def composition_of(text: str, *, half: bool = False) -> "Composition":
    """Read one argument; a file that exists goes first, then the names of the catalogue, then formulas.

    Args:
        half: half delithiated.

    Raises:
        InvalidInput: one of its subclasses.
        OSError: the file cannot be opened.
    """
    from ionscout.datasets.errors import BadFormula, UnreadableStructure
    from ionscout.models.thermo.interface import half_delithiated
    from ionscout.serving.cli.predict import Source, looks_like_path, read
    from ionscout.serving.thermo_inputs import half_lithiated, named_material

    path = Path(text)
    if text == "-" or path.exists():
        found = read(Source(text, path=None if text == "-" else path), need_lithium=False).composition
        return half_delithiated(found) if half else found
    try:
        return half_lithiated(text) if half else named_material(text)
    except BadFormula:
        if looks_like_path(text):
            raise UnreadableStructure(f"There is no file {text}; check the path.") from None
        raise


def listed(text: str) -> list[str]:
    """The parts of `A,B,C`; a role of the catalogue (anode, cathode, coating) stands for all its names."""
    from ionscout.datasets.electrodes import ROLES, electrodes

    parts = [part.strip() for part in text.split(",") if part.strip()]
    found = []
    for part in parts:
        role = part.removesuffix("s")
        found += [entry.name for entry in electrodes(role)] if role in ROLES else [part]
    return found


@contextmanager
def progress_bar(label: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, as a function of (done, all); silent without a terminal or with --json."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as shown:
        task = shown.add_task(label, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
