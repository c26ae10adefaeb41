"""Joins the shards, in the order of the input, into one JSON Lines, CSV or Parquet file and the side file."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import IO, Any, get_args, get_type_hints

from ionscout.datasets.errors import BadData
from ionscout.serving.screen.records import BAD, GOOD, Record
from ionscout.serving.screen.store import file_sha256

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
ROW_GROUP = 16_384  # rows held before they are written as one group of a Parquet file


@dataclass(frozen=True)
class Joined:
    """What was written: rows, and size and hash of the output and of the side file."""

    answered: int
    bad: int
    bytes: int
    sha256: str
    side_bytes: int
    side_sha256: str


def output_format(path: Path) -> str:
    """The format that a suffix names.

    Raises:
        BadData: none.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise BadData(f"{path.name} names no output format; end it in .jsonl, .csv or .parquet.") from None


def join(shards: Iterable[bytes], columns: tuple[str, ...], output: Path, side_file: Path) -> Joined:
    """Write both files under other names and rename them when they are whole; memory does not grow with the rows."""
    partial, side_partial = (path.with_name(f".{path.name}.partial") for path in (output, side_file))
    kind = output_format(output)
    bad = 0
    with side_partial.open("wb") as side:

        def good_lines() -> Iterator[str]:
            nonlocal bad
            for content in shards:
                # Not splitlines(): names of rows may hold characters that it takes for line ends.
                for line in content.decode().split("\n"):
                    if line.startswith(BAD):
                        bad += 1
                        side.write(line[1:].encode() + b"\n")
                    elif line.startswith(GOOD):
                        yield line[1:]

        with partial.open("wb") as file:
            answered = _WRITERS[kind](good_lines(), columns, file)
            _flush(file)
        _flush(side)
    size, side_size = partial.stat().st_size, side_partial.stat().st_size
    digest, side_digest = file_sha256(partial), file_sha256(side_partial)
    side_partial.replace(side_file)
    partial.replace(output)
    return Joined(answered, bad, size, digest, side_size, side_digest)


def _json_lines(lines: Iterator[str], columns: tuple[str, ...], file: IO[bytes]) -> int:
    count = 0
    for line in lines:
        file.write(line.encode() + b"\n")
        count += 1
    return count


def _csv(lines: Iterator[str], columns: tuple[str, ...], file: IO[bytes]) -> int:
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for line in lines:
        record = json.loads(line)
        writer.writerow(["; ".join(v) if isinstance(v, list) else v for v in (record[name] for name in columns)])
        count += 1
    text.detach()
    return count


def _parquet(lines: Iterator[str], columns: tuple[str, ...], file: IO[bytes]) -> int:
    import pyarrow
    import pyarrow.parquet

    schema = parquet_schema(columns)
    count = 0
    with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        held: list[dict[str, Any]] = []
        for line in lines:
            held.append(json.loads(line))
            count += 1
            if len(held) == ROW_GROUP:
                writer.write_table(pyarrow.Table.from_pylist(held, schema))
                held = []
        if held:
            writer.write_table(pyarrow.Table.from_pylist(held, schema))
    return count


def parquet_schema(columns: tuple[str, ...]) -> Any:
    """Arrow schema of a screen's columns, from the types of `Record`."""
    import pyarrow

    kinds = {int: pyarrow.int64(), str: pyarrow.string(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    hints = get_type_hints(Record)

    def kind(hint: Any) -> Any:
        parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        return next((kinds[part] for part in parts if part in kinds), pyarrow.list_(pyarrow.string()))

    return pyarrow.schema([(name, kind(hints[name])) for name in columns])


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


_WRITERS = {"jsonl": _json_lines, "csv": _csv, "parquet": _parquet}
