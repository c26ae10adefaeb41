"""Hull providers: named, versioned sets of phases with formation energies on one scale."""

from functools import lru_cache
from pathlib import Path

from ionscout.datasets.errors import BadData, UnknownName
from ionscout.datasets.hulls.base import Columns, Hull, Phase, TableHull

HULLS = ("mp-2019", "learned", "mp-api", "file")

__all__ = ["HULLS", "Columns", "Hull", "Phase", "TableHull", "default_hull_name", "forget_hulls", "load_hull"]


def default_hull_name() -> str:
    """`mp-2019` wherever its file is present, else `learned`, which is always there."""
    from ionscout.datasets.hulls.snapshot import find_snapshot

    return "mp-2019" if find_snapshot() is not None else "learned"


def load_hull(name: str | None = None, path: Path | None = None) -> Hull:
    """Return a hull by name, kept in memory after the first call.

    Args:
        name: one of `HULLS`; None takes `mp-2019` when present, else `learned` (or `file` when a path is given).
        path: the entries of `file`, or another copy of the `mp-2019` table.

    Raises:
        UnknownName: the message lists the names that exist.
        DataUnavailable: the hull's data are not on this machine.
        BadData: its file cannot be used.
    """
    if name is None:
        name = "file" if path is not None else default_hull_name()
    if name not in HULLS:
        raise UnknownName(f"There is no hull '{name}'; choose one of {', '.join(HULLS)}.")
    if name == "file" and path is None:
        raise BadData("The hull 'file' needs the path of a CSV or JSON file with entries.")
    if name == "mp-2019" and path is None:
        from ionscout.datasets.hulls.snapshot import find_snapshot

        path = find_snapshot()
    modified = path.stat().st_mtime_ns if path is not None and path.is_file() else 0
    return _load(name, path, modified)


def forget_hulls() -> None:
    """Drop all hulls from memory, for measurements from a cold start."""
    _load.cache_clear()


@lru_cache(maxsize=4)
def _load(name: str, path: Path | None, modified: int) -> Hull:
    # Providers are imported when asked for: `learned` needs its table and `mp-api` an optional package.
    if name == "mp-2019":
        from ionscout.datasets.hulls.snapshot import load_snapshot

        return load_snapshot(path)
    if name == "file":
        from ionscout.datasets.hulls.file import load_file

        assert path is not None
        return load_file(path)
    if name == "mp-api":
        from ionscout.datasets.hulls.materials_project import load_materials_project

        return load_materials_project()
    from ionscout.datasets.hulls.learned import load_learned

    return load_learned()
