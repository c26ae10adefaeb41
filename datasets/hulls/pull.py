"""`ionscout data pull mp-2019`: fetch the public copy of the snapshot into the user's cache."""

import csv
import gzip
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.hulls.amounts import parse_amounts
from ionscout.datasets.hulls.snapshot import COLUMNS, FILE, read_table
from ionscout.datasets.settings import settings

# Formation (Ef) and decomposition (Ed) energies of Bartel et al., npj Comput. Mater. 6, 97 (2020), as redistributed by
# the CrabNet authors (MIT; the energies are the Materials Project's, CC BY 4.0), at one commit.
COMMIT = "457b4d4"
BASE_URL = f"https://raw.githubusercontent.com/anthony-wang/CrabNet/{COMMIT}/data/benchmark_data"
TABLES = ("CritExam__Ef", "CritExam__Ed")
PARTS = ("train", "val", "test")
# sha256 of `canonical` over the table that this project was developed and benchmarked with. The digests of the public
# files themselves are not known to us, so the check is on what counts: every formula and both energies to 1e-6 eV/atom.
SHA256 = "78d470e4881796ab5cda0bf385aa67a0a3c0407cdb2d7b693b27f195d765e7c2"

Progress = Callable[[str, int, int], None]
_CHUNK = 1 << 16  # bytes; small enough for a smooth progress bar


def pull_snapshot(base_url: str = BASE_URL, *, progress: Progress | None = None, sha256: str | None = SHA256) -> Path:
    """Download, join, check and cache the snapshot; an interrupted download continues where it stopped.

    Args:
        base_url: where the folders `CritExam__Ef` and `CritExam__Ed` are.
        progress: called with (file, bytes so far, bytes in all or 0 when unknown).
        sha256: expected digest of the joined table (`canonical`); None accepts any table.

    Returns:
        Path of the cached table, which `load_hull("mp-2019")` finds.

    Raises:
        DataUnavailable: no network, or the files are not there.
        BadData: what arrived is not the snapshot.
    """
    target = settings().cache_dir / FILE
    partial = target.parent / "partial"
    partial.mkdir(parents=True, exist_ok=True)
    files = {(table, part): partial / f"{table}-{part}.csv" for table in TABLES for part in PARTS}
    try:
        with httpx.Client(timeout=30.0, follow_redirects=True) as client:
            for (table, part), path in files.items():
                if not path.is_file():
                    _download(client, f"{base_url.rstrip('/')}/{table}/{part}.csv", path, progress)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DataUnavailable(
            f"The snapshot cannot be fetched ({_reason(error)}); check the network and run "
            "`ionscout data pull mp-2019` again, it continues where it stopped."
        ) from None

    columns = [_join(files[table, part] for part in PARTS) for table in TABLES]
    if columns[0].keys() != columns[1].keys():
        shutil.rmtree(partial)
        raise BadData("The downloaded formation and decomposition energies name different compounds; pull them again.")
    rows = [(formula, columns[0][formula], columns[1][formula]) for formula in sorted(columns[0])]
    if sha256 is not None and canonical(rows) != sha256:
        shutil.rmtree(partial)
        raise BadData(
            "The downloaded table differs from the snapshot that ionscout was tested with; nothing was kept. "
            "Try again later, or use --hull learned."
        )
    _write(rows, target)
    shutil.rmtree(partial)
    return target


def canonical(rows: Iterable[tuple[str, float, float]]) -> str:
    """sha256 of a table whatever the order of its rows, of the elements in a formula and of digits beyond 1e-6 eV."""
    lines = []
    for formula, formation, decomposition in rows:
        name = "".join(f"{z}:{amount:g}," for z, amount in parse_amounts("mp-2019", formula))
        lines.append(f"{name} {formation + 0.0:.6f} {decomposition + 0.0:.6f}\n".replace("-0.000000", "0.000000"))
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def verify_snapshot(path: Path) -> bool:
    """Whether a snapshot on disk holds the numbers that ionscout was tested with."""
    rows, _ = read_table(path)
    return canonical(rows) == SHA256


def _download(client: httpx.Client, url: str, path: Path, progress: Progress | None) -> None:
    """Fetch one file; a part that is there already is continued with a range request."""
    part = path.with_suffix(".part")
    have = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # longer than the file on the server: it belongs to something else
            return _download(client, url, path, progress)
        response.raise_for_status()
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            have = 0  # the server sends the whole file again
        length = int(response.headers.get("Content-Length", 0))
        total = have + length if length else 0
        with part.open("ab" if have else "wb") as file:
            for chunk in response.iter_bytes(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(f"{path.stem}.csv", have, total)
    os.replace(part, path)


def _join(paths: Iterable[Path]) -> dict[str, float]:
    """One column of the snapshot: formula → energy, from its three parts."""
    energies: dict[str, float] = {}
    for path in paths:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            try:
                for row in reader:
                    energies[row["formula"]] = float(row["target"])
            except (KeyError, TypeError, ValueError, csv.Error):
                path.unlink()
                raise BadData(
                    f"{path.name}, line {reader.line_num}: not a row of formula and target; pull it again."
                ) from None
    return energies


def _write(rows: list[tuple[str, float, float]], target: Path) -> None:
    """Write the joined table in one step, so that no reader ever sees half of it."""
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed:
        lines = [",".join(COLUMNS)] + [f"{formula},{ef!r},{ed!r}" for formula, ef, ed in rows]
        packed.write(("\n".join(lines) + "\n").encode())
    os.replace(temporary, target)


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.response.status_code} for {error.request.url.path}"
    return " ".join(str(error).split()) or type(error).__name__
