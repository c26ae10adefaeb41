"""What data this machine holds: every source of measurements and every hull, present or not, intact or not."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.hulls import HULLS, default_hull_name, load_hull
from ionscout.datasets.hulls.base import TableHull
from ionscout.datasets.hulls.learned import TABLE as LEARNED
from ionscout.datasets.hulls.pull import verify_snapshot
from ionscout.datasets.hulls.snapshot import find_snapshot
from ionscout.datasets.sources.base import Source, content_hash
from ionscout.datasets.sources.conductivity_1011 import Conductivity1011
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.sources.laskowski import Laskowski
from ionscout.datasets.sources.liverpool import Liverpool
from ionscout.datasets.sources.obelix import Obelix
from ionscout.datasets.sources.tables import Table

MEASUREMENTS, HULL = "measurements", "hull"
_HULL_SUMMARIES = {
    "mp-2019": "Formation energies of 85,014 Materials Project compositions of 2019 (CC BY 4.0), legacy corrections.",
    "learned": "Energies that the shipped energy GNN predicts for known compounds; always here, also offline.",
    "mp-api": "Live Materials Project entries (GGA/GGA+U); needs your key in MP_API_KEY and the mp-api package.",
    "file": "Your own entries: --hull-file with a CSV of formulas and energies, or pymatgen JSON.",
}


@dataclass(frozen=True)
class DataItem:
    """One source or hull: what it is, and whether it is on this machine.

    Attributes:
        kind: "measurements" or "hull".
        default: the hull that answers when none is named.
        how: how to get it, empty where it is present.
    """

    name: str
    kind: str
    present: bool
    summary: str
    how: str = ""
    default: bool = False


@dataclass(frozen=True)
class Check:
    """One thing that was read again.

    Attributes:
        rows: measurements or phases; None where it is not here.
        sha256: of the content (measurements) or the file (hulls).
        ok: None where it is not on this machine, which is no damage.
        verdict: in words.
    """

    name: str
    rows: int | None
    sha256: str | None
    ok: bool | None
    verdict: str


def sources() -> list[Source]:
    """Every source of measurements, the test part of OBELiX only where it is there."""
    found: list[Source] = [Embedded()]
    for make in (Obelix, Liverpool, Laskowski, Conductivity1011):
        try:
            found.append(make())
        except IonscoutError:  # OBELiX without a data folder
            continue
    return found


def inventory() -> list[DataItem]:
    """All sources and hulls."""
    made = {source.name: source for source in sources()}
    elsewhere = "set IONSCOUT_DATA_DIR to the folder that holds it"
    items = []
    for name in (Embedded.name, Obelix.name, Liverpool.name, Laskowski.name, Conductivity1011.name):
        source = made.get(name)
        present = source is not None and _present(source)
        # the card of a table counts its rows, which means reading it
        text = _OBELIX if source is None else source.about if isinstance(source, Table) else source.card()
        items.append(DataItem(name, MEASUREMENTS, present, first_paragraph(text), "" if present else elsewhere))
    default = default_hull_name()
    for name in HULLS:
        present = name == "learned" or (name == "mp-2019" and find_snapshot() is not None)
        how = "" if present else "run `ionscout data pull mp-2019`" if name == "mp-2019" else "on request"
        items.append(DataItem(name, HULL, present, _HULL_SUMMARIES[name], how, name == default))
    return items


def verify_all(progress: Callable[[int, int], None] | None = None) -> list[Check]:
    """Read every source and hull that is here, and compare what has a pinned hash."""
    tasks: list[Callable[[], Check]] = [lambda source=source: _check_source(source) for source in sources()]  # type: ignore[misc]
    tasks += [_check_snapshot, _check_learned]
    found = []
    for number, task in enumerate(tasks):
        if progress is not None:
            progress(number, len(tasks))
        found.append(task())
    return found


def first_paragraph(card: str) -> str:
    """Title of a Markdown card and the first thing below it."""
    title, _, rest = card.strip().partition("\n")
    first = re.split(r"\n\s*\n|\n- ", rest.strip())[0]
    return f"{title.lstrip('# ')}: {' '.join(first.split()).removeprefix('- ').replace('*', '')}"


_OBELIX = (
    "# OBELiX\n\n599 measured room-temperature conductivities of lithium solid electrolytes with an official split."
)


def _present(source: Source) -> bool:
    if isinstance(source, Obelix):
        return source.has_part()
    return source.available() if isinstance(source, Table) else True


def _check_source(source: Source) -> Check:
    if not _present(source):
        return Check(source.name, None, None, None, "not on this machine")
    try:
        rows = source.load()
    except IonscoutError as error:
        return Check(source.name, None, None, False, str(error))
    return Check(source.name, len(rows), content_hash(rows), True, "every row reads")


def _check_snapshot() -> Check:
    path = find_snapshot()
    if path is None:
        return Check("mp-2019", None, None, None, "not on this machine; run `ionscout data pull mp-2019`")
    return _check_hull("mp-2019", path, lambda: verify_snapshot(path))


def _check_learned() -> Check:
    return _check_hull("learned", LEARNED, lambda: True)


def _check_hull(name: str, path: Path, same: Callable[[], bool]) -> Check:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if not same():
            return Check(name, None, digest, False, "its numbers differ from those that ionscout was tested with")
        hull = load_hull(name)
    except (IonscoutError, OSError) as error:
        return Check(name, None, None, False, str(error))
    rows = len(hull) if isinstance(hull, TableHull) else None
    pinned = "the pinned hash agrees" if name == "mp-2019" else "every row reads"
    return Check(name, rows, digest, True, f"{pinned}; version {hull.version}")
