"""One row of a screen: where it stands, what it is called, and the text that will be parsed."""

import hashlib
import json
import math
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ionscout.datasets.errors import BadData

IDENTIFIERS = ("id", "name", "material_id", "mp_id", "source")
FORMULAS = ("formula", "composition", "reduced_composition", "reduced_formula", "pretty_formula")
STRUCTURES = {"cif": "cif", "poscar": "poscar", "structure": "json", "text": ""}  # column → format; "" recognises it
NOTHING = {"", "nan", "null", "none"}  # what tables write where there is nothing; "NaN" read as Na and N has no Li
EMPTY = "The row is empty: it has neither a formula nor a structure."
COLUMNS = f"a formula ({', '.join(FORMULAS)}) or a structure ({', '.join(STRUCTURES)})"
SHARD_BYTES = 4_000_000  # of text in one shard: bounds memory when every row is a large CIF
Scored = Generator[tuple[int, int, bytes], None, None]  # number, rows and lines of a shard


@dataclass(frozen=True)
class Row:
    """A row as it was read.

    Attributes:
        number: position in the input, from 0.
        id: the input's own name of the row, or its position.
        text: formula or content of a structure file.
        format: `formula`, `cif`, `poscar`, `json`; "" to recognise it.
        problem: why the row could not be read at all; "" if it could.
    """

    number: int
    id: str
    text: str = ""
    format: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Shard:
    """Consecutive rows that are scored together and stored in one file."""

    number: int
    rows: tuple[Row, ...]

    def to_bytes(self) -> bytes:
        """As bytes, for engines whose workers are on other machines."""
        return json.dumps([self.number, [asdict(row) for row in self.rows]]).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Shard":
        number, rows = json.loads(content)
        return cls(number, tuple(Row(**row) for row in rows))


@dataclass(frozen=True)
class Survey:
    """What one pass over the input finds: the number of rows, and a hash of them in their order."""

    rows: int
    sha256: str


class RowHash:
    """Content hash of a stream of rows, the same for one content in whatever container it comes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, row: Row) -> None:
        self._hash.update(json.dumps([row.id, row.format, row.text, row.problem]).encode() + b"\n")

    @property
    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def survey(rows: Iterable[Row]) -> Survey:
    """Read all rows once, keeping none."""
    digest, count = RowHash(), 0
    for row in rows:
        digest.add(row)
        count += 1
    return Survey(count, digest.hexdigest)


def shards(rows: Iterable[Row], most_rows: int, most_bytes: int = SHARD_BYTES) -> Iterator[Shard]:
    """Cut a stream of rows into shards; where depends on the rows alone."""
    number, held, size = 0, [], 0
    for row in rows:
        held.append(row)
        size += len(row.text)
        if len(held) >= most_rows or size >= most_bytes:
            yield Shard(number, tuple(held))
            number, held, size = number + 1, [], 0
    if held:
        yield Shard(number, tuple(held))


def row_of(number: int, content: Any) -> Row:
    """The row of one record (of JSON Lines, CSV or Parquet); a useless one carries its problem."""
    if isinstance(content, str):
        return Row(number, str(number), content.strip(), "formula") if not _empty(content) else _bad(number, EMPTY)
    if not isinstance(content, Mapping):
        return _bad(number, f"The row is a {type(content).__name__}; give an object with {COLUMNS}.")
    values = {normal(str(key)): value for key, value in content.items() if not _empty(value)}
    name = next((str(values[key]) for key in IDENTIFIERS if key in values), str(number))
    for key, fixed in STRUCTURES.items():
        if key not in values:
            continue
        value = values[key]
        if isinstance(value, Mapping):
            return Row(number, name, json.dumps(value), "json")
        if not isinstance(value, str):
            return Row(number, name, problem=f"'{key}' is a {type(value).__name__}; give the file's text.")
        stated = str(values.get("format", "")).lower() if key == "text" else fixed
        return Row(number, name, value, "" if key == "structure" else stated)
    for key in FORMULAS:
        if key in values:
            value = values[key]
            if not isinstance(value, str):
                return Row(number, name, problem=f"'{key}' is a {type(value).__name__}; give a formula as text.")
            return Row(number, name, value.strip(), "formula")
    unknown = f"The row has none of the columns that are read; give {COLUMNS}."
    return Row(number, name, problem=EMPTY if not values or normal_names(content) & KNOWN else unknown)


def check_columns(names: Iterable[str], path: object) -> None:
    """Refuse a table without any column that could be scored.

    Raises:
        BadData: naming the columns that are read.
    """
    if not {normal(name) for name in names} & KNOWN:
        raise BadData(f"The table {path} has none of the columns that are read; give {COLUMNS}.")


def normal(name: str) -> str:
    """A column name as it is compared: `Reduced Composition` is `reduced_composition`."""
    return "_".join(name.strip().lower().split())


def normal_names(content: Mapping[Any, Any]) -> set[str]:
    return {normal(str(key)) for key in content}


KNOWN = {*FORMULAS, *STRUCTURES}


def _bad(number: int, problem: str) -> Row:
    return Row(number, str(number), problem=problem)


def _empty(value: Any) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, str) and value.strip().lower() in NOTHING
