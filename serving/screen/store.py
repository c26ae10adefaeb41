"""The unfinished screen on disk: a manifest, one file per finished shard, and a lock against a second run.

A shard's file appears under its name only when it is whole (written elsewhere, flushed, renamed) and ends with a
check sum, so a kill at any moment, or a machine that goes down, leaves either all of it or nothing that counts.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from ionscout.datasets.errors import BadData
from ionscout.serving.screen.options import Identity, ScreenStopped

try:
    import fcntl
except ImportError:  # no such locks there; renames keep the results whole all the same
    fcntl = None  # type: ignore[assignment]

FOLDER = 1000  # shards per folder: file systems and people like no folder of a million files


class Manifest(BaseModel):
    """What a screen was asked and of what; two runs with one manifest write the same bytes."""

    model_config = ConfigDict(frozen=True)

    layout: int = 1
    ionscout: str
    input_sha256: str
    rows: int
    shard_rows: int
    predictions: tuple[str, ...]
    temperature_K: float
    conductivity_kind: str = "total"
    model: str
    hull: str
    columns: tuple[str, ...]
    output_format: str

    @property
    def identity(self) -> Identity:
        return Identity(self.model, self.hull)


class Finished(BaseModel):
    """The manifest of a finished screen, with what was written.

    `side_bytes` and `side_sha256` are None where an older version wrote it; such a screen is scored again.
    """

    model_config = ConfigDict(frozen=True)

    manifest: Manifest
    shards: int
    answered: int
    bad: int
    output_bytes: int
    output_sha256: str
    side_bytes: int | None = None
    side_sha256: str | None = None


_WORDS = {
    "layout": "layout of the parts",
    "ionscout": "version of ionscout",
    "input_sha256": "input",
    "rows": "number of rows",
    "shard_rows": "rows per shard",
    "temperature_K": "temperature",
    "conductivity_kind": "kind of conductivity",
    "output_format": "format",
}


def check_same(begun: Manifest, asked: Manifest, output: Path, parts: Path) -> None:
    """Refuse to go on with another question.

    Raises:
        BadData: naming the first difference.
    """
    for name in Manifest.model_fields:
        before, now = getattr(begun, name), getattr(asked, name)
        if before != now:
            what = _WORDS.get(name, name)
            shown = "" if name == "input_sha256" else f" ({_text(before)}, now {_text(now)})"
            raise BadData(
                f"{output.name} was begun with another {what}{shown}; "
                f"ask the same, write to another file, or delete {parts.name}."
            )


class Store:
    """The folder `OUT.parts` beside the output."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(output.name + ".parts")
        self.finished_file = output.with_name(output.name + ".manifest.json")
        self.side_file = output.with_name(output.name + ".bad.jsonl")
        self._lock: IO[str] | None = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the kernel lets go when the process ends, however it ends.

        The lock file stays: if it were deleted, a process that had it open already and one that makes it anew would
        each hold a lock of their own.

        Raises:
            ScreenStopped: another process holds it.
        """
        self.output.parent.mkdir(parents=True, exist_ok=True)
        path = self.output.with_name(f".{self.output.name}.lock")
        with path.open("w") as lock:
            if fcntl is not None:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    raise ScreenStopped(
                        f"Another process is writing {self.output.name}; wait for it or choose another file."
                    ) from None
            yield

    def finished(self) -> Finished | None:
        """The manifest of a finished screen, if there is one.

        Raises:
            BadData: it cannot be read.
        """
        try:
            return Finished.model_validate_json(self.finished_file.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            raise BadData(f"{self.finished_file.name} is damaged; delete it and {self.output.name}.") from None

    def whole(self, finished: Finished) -> bool:
        """Whether output and side file are still what was written, byte by byte.

        An empty side file that somebody tidied away is made again: there is nothing in it to score.
        """
        if finished.side_bytes == 0:
            self.side_file.touch()
        written = (
            (self.output, finished.output_bytes, finished.output_sha256),
            (self.side_file, finished.side_bytes, finished.side_sha256),
        )
        # All sizes before the first hash, which reads the whole file.
        return all(_size(path) == size for path, size, _ in written) and all(
            file_sha256(path) == digest for path, _, digest in written
        )

    def begun(self) -> Manifest | None:
        """The manifest of an unfinished screen, if there is one.

        Raises:
            BadData: it cannot be read.
        """
        try:
            return Manifest.model_validate_json((self.folder / "manifest.json").read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            raise BadData(f"The manifest in {self.folder.name} is damaged; delete the folder.") from None

    def begin(self, manifest: Manifest) -> None:
        write_whole(self.folder / "manifest.json", (manifest.model_dump_json(indent=2) + "\n").encode())

    def finish(self, finished: Finished) -> None:
        """State that the output is whole, then drop the parts; in this order, so that a kill in between loses none."""
        write_whole(self.finished_file, (finished.model_dump_json(indent=2) + "\n").encode())
        self.clear()

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, number: int) -> Path:
        return self.folder / f"{number // FOLDER:06d}" / f"{number % FOLDER:03d}"

    def write(self, number: int, content: bytes) -> None:
        """Keep the lines of a shard."""
        write_whole(self.path(number), content + _footer(content))

    def read(self, number: int) -> bytes | None:
        """The lines of a shard; None if it is not there or not whole."""
        try:
            content = self.path(number).read_bytes()
        except FileNotFoundError:
            return None
        lines = content[: content.rfind(b"#")] if b"#" in content else b""
        return lines if content == lines + _footer(lines) else None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that its name never stands for a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def file_sha256(path: Path) -> str:
    """Of the content of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int | None:
    """Bytes; None if there is no such file."""
    return path.stat().st_size if path.is_file() else None


def _footer(lines: bytes) -> bytes:
    return f"#{hashlib.sha256(lines).hexdigest()}\n".encode()


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
