"""What a screen is asked for, what answers it, and what it says in the end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ionscout.datasets.errors import IonscoutError, OutOfRange, UnknownName
from ionscout.datasets.hulls import HULLS
from ionscout.models.conductivity.kinds import ConductivityKind

PREDICTIONS = ("conductivity", "window", "stability", "interphase")
THERMODYNAMIC = frozenset(PREDICTIONS) - {"conductivity"}
ROOM_TEMPERATURE = 298.15  # K
# Rows of one shard: what a kill can cost each worker (seconds), against one file and one message per shard. Small
# inputs get smaller shards, or some workers would have none. It follows from the input alone: the workers may change.
LEAST_SHARD, MOST_SHARD = 16, 1024
SHARDS = 64
MAX_SHARD_ROWS = 100_000
NAMED_HULLS = tuple(name for name in HULLS if name != "file")  # a user's file has no version that workers could compare

EngineName = Literal["local", "ray"]


class ScreenStopped(IonscoutError):
    """A screen that ended early; what is done is kept, and the message says how to go on."""

    title = "Screen stopped"


@dataclass(frozen=True)
class ScreenOptions:
    """What is predicted for every row. All of it decides the bytes of the result, so a resume needs the same.

    Attributes:
        predictions: some of `PREDICTIONS`.
        temperature_K, kind: of the conductivity.
        hull: name of the hull for window, stability and interphase; None: the default one.
        shard_rows: rows of one shard at most; None: from the number of rows.

    Raises:
        UnknownName, OutOfRange: on construction.
    """

    predictions: tuple[str, ...] = PREDICTIONS
    temperature_K: float = ROOM_TEMPERATURE
    hull: str | None = None
    shard_rows: int | None = None
    kind: ConductivityKind = "total"

    def __post_init__(self) -> None:
        unknown = [name for name in self.predictions if name not in PREDICTIONS]
        if unknown or not self.predictions:
            named = f"Unknown prediction '{unknown[0]}'" if unknown else "No prediction is wanted"
            raise UnknownName(f"{named}; choose from {', '.join(PREDICTIONS)}.")
        if self.hull is not None and self.hull not in NAMED_HULLS:
            raise UnknownName(f"There is no hull '{self.hull}' to screen with; choose from {', '.join(NAMED_HULLS)}.")
        if self.shard_rows is not None and not 1 <= self.shard_rows <= MAX_SHARD_ROWS:
            raise OutOfRange(f"A shard of {self.shard_rows} rows is not possible; give 1 to {MAX_SHARD_ROWS}.")
        # One order, each once: how the list was typed must not make it another screen.
        object.__setattr__(self, "predictions", tuple(name for name in PREDICTIONS if name in self.predictions))

    def wants(self, name: str) -> bool:
        return name in self.predictions

    def shard_size(self, rows: int) -> int:
        """Rows of one shard at most, for an input of so many."""
        return self.shard_rows or min(max(-(-rows // SHARDS), LEAST_SHARD), MOST_SHARD)

    @property
    def thermodynamic(self) -> bool:
        return bool(THERMODYNAMIC & set(self.predictions))


@dataclass(frozen=True)
class Identity:
    """Which model and which hull answer; empty where they are not asked."""

    model: str = ""
    hull: str = ""


@dataclass(frozen=True)
class ScreenSummary:
    """What became of a screen.

    Attributes:
        output, side_file: the answers, and the rows without one (with their reasons).
        rows, answered, bad: counts; `rows` = `answered` + `bad`.
        shards, resumed: all shards, and those of them that an earlier run had finished.
        seconds: wall time of this run; rows_per_second: rows scored in this run over it, None if there were none.
        steady_rows_per_second: without start-up and joining, see `pace`; None if there were too few shards.
        input_sha256: of the rows in their order.
    """

    output: Path
    side_file: Path
    rows: int
    answered: int
    bad: int
    shards: int
    resumed: int
    seconds: float
    rows_per_second: float | None
    steady_rows_per_second: float | None
    input_sha256: str
    output_sha256: str
    identity: Identity
    engine: EngineName
    workers: int
