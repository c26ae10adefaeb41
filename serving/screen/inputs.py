"""Inputs of a screen as streams of rows: JSON Lines, CSV, Parquet, folders and archives of structure files.

Nothing is held but the row at hand (and the names of one folder, or the directory of a zip). Archives are read in
place: no member is written to disk.
"""

import csv
import gzip
import io
import itertools
import json
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.structure import MAX_TEXT_BYTES
from ionscout.serving.screen.rows import Row, check_columns, row_of

SUFFIXES = {".cif": "cif", ".vasp": "poscar", ".poscar": "poscar", ".json": "json"}
LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv")
TARS = (".tar", ".tgz", ".tbz2", ".txz")
COMPRESSED = (".gz", ".bz2", ".xz")
READ = "JSON Lines (.jsonl), CSV, Parquet, a folder, a .zip or a .tar of structure files"
MAX_LINE = 4 * MAX_TEXT_BYTES  # JSON and CSV escape quotes and line ends, so a line may exceed the text it carries
PARQUET_ROWS = 256  # rows taken from a Parquet file at once


def read_rows(path: Path) -> Iterator[Row]:
    """All rows of an input, in its order: of a folder by name, of an archive and a table as they stand there.

    Raises:
        DataUnavailable: there is no such file or folder.
        BadData: its kind is not read, or the file as a whole is damaged.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise DataUnavailable(f"There is no file or folder {path}; check the path.")
    name = path.name.lower()
    stem, packed = (name.rsplit(".", 1)[0], True) if name.endswith(COMPRESSED) else (name, False)
    if name.endswith(TARS) or (packed and stem.endswith(".tar")):
        return _whole(path, _tar(path))
    if name.endswith(".zip"):
        return _whole(path, _zip(path))
    if name.endswith(".parquet"):
        return _whole(path, _parquet(path))
    if packed and not name.endswith(".gz"):
        raise BadData(f"{path.name} is not of a kind that is read; give {READ}.")
    if stem.endswith(LINES):
        return _whole(path, _json_lines(path, packed))
    if stem.endswith(TABLES):
        return _whole(path, _table(path, packed, "\t" if stem.endswith(".tsv") else ","))
    raise BadData(f"{path.name} is not of a kind that is read; give {READ}.")


def _whole(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    """Damage to the container itself as one sentence; damage to a row never gets here."""
    try:
        yield from rows
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, gzip.BadGzipFile, zlib.error, UnicodeError) as error:
        raise BadData(f"{path.name} is damaged ({error}); make it again.") from None


def _open(path: Path, packed: bool) -> IO[bytes]:
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _json_lines(path: Path, packed: bool) -> Iterator[Row]:
    with _open(path, packed) as file:
        for number in itertools.count():
            line = file.readline(MAX_LINE)
            if not line:
                return
            whole = line.endswith(b"\n") or len(line) < MAX_LINE
            while not whole:
                rest = file.readline(MAX_LINE)
                whole = not rest or rest.endswith(b"\n")
                line = b""
            yield _json_row(number, line)


def _json_row(number: int, line: bytes) -> Row:
    if not line:
        return Row(number, str(number), problem=f"The line has more than {MAX_LINE} bytes; give one crystal per line.")
    if not line.strip():
        return row_of(number, "")
    try:
        return row_of(number, json.loads(line.decode("utf-8-sig")))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        return Row(number, str(number), problem=f"The line is not JSON ({error}); write one object a line.")


def _table(path: Path, packed: bool, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(MAX_LINE)
    with _open(path, packed) as raw, io.TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="") as text:
        reader = csv.reader((line.replace("\0", "") for line in text), delimiter=delimiter)
        header = next(reader, None)
        if header is None:
            return
        check_columns(header, path.name)
        for number in itertools.count():
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield Row(number, str(number), problem=f"The row is not CSV ({error}).")
                continue
            if cells is None:
                return
            if len(cells) > len(header):
                problem = f"The row has {len(cells)} cells under {len(header)} headings; quote cells with commas."
                yield Row(number, str(number), problem=problem)
                continue
            yield row_of(number, dict(zip(header, cells, strict=False)))


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowException as error:
        raise BadData(f"{path.name} is not a Parquet file ({error}).") from None
    with file:
        check_columns(file.schema_arrow.names, path.name)
        numbers = itertools.count()
        try:
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                for record in batch.to_pylist():
                    yield row_of(next(numbers), record)
        except (pyarrow.ArrowException, OSError) as error:
            raise BadData(f"{path.name} is damaged ({error}); make it again.") from None


def _folder(path: Path) -> Iterator[Row]:
    numbers = itertools.count()
    for folder, inner, names in os.walk(path):
        inner.sort()
        inner[:] = [name for name in inner if not name.startswith(".")]
        for name in sorted(names):
            file = Path(folder, name)
            if (found := _format(name)) is None:
                continue
            label = file.relative_to(path).as_posix()
            try:
                with file.open("rb") as opened:
                    content = opened.read(MAX_TEXT_BYTES + 1)
            except OSError as error:
                yield Row(next(numbers), label, problem=f"The file cannot be opened: {error.strerror}.")
                continue
            yield _file_row(next(numbers), label, found, content)


def _zip(path: Path) -> Iterator[Row]:
    numbers = itertools.count()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir() or (found := _format(member.filename)) is None:
                continue
            try:
                with archive.open(member) as opened:
                    content = opened.read(MAX_TEXT_BYTES + 1)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
                yield Row(next(numbers), member.filename, problem=f"The member of the archive is damaged ({error}).")
                continue
            yield _file_row(next(numbers), member.filename, found, content)


def _tar(path: Path) -> Iterator[Row]:
    numbers = itertools.count()
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header it has seen; a stream never goes back to them
            if not member.isfile() or (found := _format(member.name)) is None:
                continue
            opened = archive.extractfile(member)
            assert opened is not None
            yield _file_row(next(numbers), member.name, found, opened.read(MAX_TEXT_BYTES + 1))


def _format(name: str) -> str | None:
    """Format of a structure file by its name; None for anything else, such as a README beside the crystals."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    if base.startswith(".") or "__MACOSX" in name:
        return None
    if base.upper().startswith(("POSCAR", "CONTCAR")):
        return "poscar"
    return SUFFIXES.get(os.path.splitext(base)[1].lower())


def _file_row(number: int, label: str, found: str, content: bytes) -> Row:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # as old CIFs have it
    if any(ord(char) < 32 and char not in "\t\n\r\f\v" for char in text):
        return Row(number, label, problem="This is a binary file; give a CIF, a POSCAR or a pymatgen JSON.")
    return Row(number, label, text, found)
