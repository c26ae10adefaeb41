"""The prediction log: one JSON object a line, one file per process and size, oldest files dropped.

Off unless `IONSCOUT_MONITORING_LOG_DIR` names a folder. It holds formulas and predictions; texts of crystals only when
`IONSCOUT_MONITORING_KEEP_TEXT` asks for them. Every process writes files of its own and holds a lock on the open one,
so nothing is interleaved and no process drops what another is writing.
"""

import hashlib
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.serving.schemas import CrystalRequest, Prediction

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

PATTERN = "predictions-*.jsonl"


class MonitoringSettings(BaseSettings):
    """What the service keeps about its answers; nothing by default."""

    model_config = SettingsConfigDict(env_prefix="IONSCOUT_MONITORING_", env_ignore_empty=True)

    log_dir: Path | None = Field(None, description="Folder for the prediction log; without it nothing is logged.")
    sample: float = Field(1.0, ge=0, le=1, description="Share of predictions that is logged, drawn at random.")
    keep_text: bool = Field(False, description="Also log the text of crystals, as it was sent.")
    file_bytes: int = Field(20_000_000, gt=0, description="Size after which a process starts a new file.")
    files: int = Field(20, gt=1, description="Files kept, those of all processes together; the oldest go first.")


def monitoring_settings() -> MonitoringSettings:
    """The settings of the environment.

    Raises:
        BadData: a variable that cannot be used.
    """
    try:
        return MonitoringSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"IONSCOUT_MONITORING_{first['loc'][0]}".upper()
        raise BadData(f"The environment variable {name} is wrong: {first['msg']}.") from None


class LoggedPrediction(BaseModel):
    """One line of the log; conductivities as log10(σ / S cm⁻¹).

    `key` is a hash of what was asked, so that a repeated crystal is recognised without its text.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    time: str = Field(description="UTC, ISO 8601.")
    key: str
    formula: str
    source_format: str
    path: str
    temperature_K: float
    kind: str = "total"
    log10_conductivity: float
    log10_lower: float
    log10_upper: float
    coverage: float
    in_domain: bool
    model: str
    milliseconds: float = Field(description="Of the whole request, shared by the materials of a list.")
    text: str | None = None


def logged(
    request: CrystalRequest, prediction: Prediction, milliseconds: float, keep_text: bool = False
) -> LoggedPrediction:
    """The line about one prediction."""
    found = prediction.conductivity
    asked = f"{request.formula or ''}\0{request.text or ''}"
    return LoggedPrediction(
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        key=hashlib.sha256(asked.encode(errors="replace")).hexdigest()[:16],
        formula=prediction.formula,
        source_format=prediction.source_format,
        path=found.path,
        temperature_K=found.temperature_K,
        kind=found.kind,
        log10_conductivity=round(math.log10(found.value), 4),
        log10_lower=round(math.log10(found.lower), 4),
        log10_upper=round(math.log10(found.upper), 4),
        coverage=found.coverage,
        in_domain=found.in_domain,
        model=f"{found.model} {found.version}",
        milliseconds=round(milliseconds, 1),
        text=request.text if keep_text else None,
    )


class PredictionLog:
    """Appends lines from any number of threads and processes.

    Args:
        folder: made on the first write.
        sample: share of predictions that is kept; each is drawn on its own.
        seed: of the draws; None: from the system.
    """

    def __init__(
        self,
        folder: Path,
        sample: float = 1.0,
        keep_text: bool = False,
        file_bytes: int = 20_000_000,
        files: int = 20,
        seed: int | None = None,
    ) -> None:
        self.folder, self.sample, self.keep_text = folder, sample, keep_text
        self.file_bytes, self.files = file_bytes, files
        self._random = random.Random(seed)
        self._lock = Lock()
        self._file: IO[bytes] | None = None
        self._process = 0

    @classmethod
    def from_settings(cls, settings: MonitoringSettings) -> "PredictionLog | None":
        """The log that the settings ask for, if they do."""
        if settings.log_dir is None:
            return None
        return cls(
            settings.log_dir.expanduser(), settings.sample, settings.keep_text, settings.file_bytes, settings.files
        )

    def write(self, requests: Sequence[CrystalRequest], predictions: Sequence[Prediction], milliseconds: float) -> int:
        """Log a request's predictions; returns how many of them the sample took.

        Raises:
            OSError: the folder cannot be written to.
        """
        with self._lock:
            taken = [
                logged(request, prediction, milliseconds, self.keep_text)
                for request, prediction in zip(requests, predictions, strict=True)
                if self._random.random() < self.sample
            ]
            for line in taken:
                self._append((line.model_dump_json(exclude_none=True) + "\n").encode(errors="replace"))
            return len(taken)

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def _append(self, line: bytes) -> None:
        if self._file is None or self._process != os.getpid() or self._file.tell() + len(line) > self.file_bytes:
            self._rotate()
        assert self._file is not None
        self._file.write(line)  # unbuffered: one system call per line, whole also when the process is killed next

    def _rotate(self) -> None:
        if self._process == os.getpid():  # the file of a parent process stays its own
            self._let_go()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = os.getpid()
        path = self.folder / f"predictions-{time.time_ns():020d}-{self._process}.jsonl"
        self._file = path.open("ab", buffering=0)
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        self._drop_oldest()

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()  # and with it the lock
            self._file = None

    def _drop_oldest(self) -> None:
        """Delete what is above the number of files, but none that a living process writes to."""
        paths = sorted(self.folder.glob(PATTERN))
        for path in paths[: max(0, len(paths) - self.files)]:
            with suppress(OSError), path.open("rb") as file:  # another process may have been faster
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def read_log(folder: Path) -> Iterator[LoggedPrediction]:
    """All logged predictions, each file in its order; lines that are not whole are passed over.

    Raises:
        DataUnavailable: there is no log.
    """
    paths = sorted(folder.glob(PATTERN)) if folder.is_dir() else []
    if not paths:
        raise DataUnavailable(f"There is no prediction log in {folder}; set IONSCOUT_MONITORING_LOG_DIR and serve.")
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                with suppress(ValidationError):
                    yield LoggedPrediction.model_validate_json(line)
