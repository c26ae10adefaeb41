"""What the store keeps, as frozen records, and the errors of keeping it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from pymatgen.core import Composition

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.sources.base import ROOM_TEMPERATURE, Kind

Goal = Literal["maximise", "minimise"]
Status = Literal["open", "measured", "failed"]


class BadObservation(InvalidInput):
    title = "Bad observation"


class BadCampaign(InvalidInput):
    title = "Bad campaign"


class UnknownCampaign(InvalidInput):
    title = "Unknown campaign"
    http_status = 404


class UnknownSuggestion(InvalidInput):
    title = "Unknown suggestion"
    http_status = 404


class Conflict(InvalidInput):
    """The key or name is taken by something else."""

    title = "Conflict"
    http_status = 409


@dataclass(frozen=True)
class Objective:
    """One quantity to optimise; `goal` None: the way in which it is good. `weight` is its share in a weighted score."""

    name: str
    goal: Goal | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Constraint:
    """Limits of one quantity, in its own unit; None leaves an end open."""

    name: str
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class NewCampaign:
    """A campaign as a user defines it.

    Attributes:
        hosts: formulas whose doped variants are looked for.
        temperature_K: at which conductivities are compared.
        seed: of everything random in its suggestions.
        options: of the candidate generation and the acquisition, by name.
    """

    name: str
    hosts: tuple[str, ...]
    objectives: tuple[Objective, ...] = (Objective("conductivity"),)
    constraints: tuple[Constraint, ...] = ()
    temperature_K: float = ROOM_TEMPERATURE
    seed: int = 0
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Campaign(NewCampaign):
    """A campaign as it is stored."""

    id: int = 0
    created: datetime = datetime.min


@dataclass(frozen=True)
class NewSuggestion:
    """One candidate worth making, and what the model thought of it then.

    Attributes:
        mechanism: in words, e.g. "Ga³⁺ on Li⁺, 2 lithium vacancies".
        acquisition: value of the acquisition function, in its own unit.
        explanation: why this one was chosen.
        conductivity, lower, upper: predicted S/cm at `temperature_K`; the interval holds `coverage`.
        model, version: what predicted it.
        cif: doped average structure, where one was built.
        scores: all other scores by name.
    """

    formula: str
    host: str
    mechanism: str
    acquisition: float
    explanation: str
    conductivity: float
    lower: float
    upper: float
    coverage: float
    temperature_K: float
    model: str
    version: str
    cif: str | None = None
    scores: Mapping[str, float | str | bool | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Suggestion(NewSuggestion):
    """A suggestion as it is stored; `batch` counts from 1, `rank` from 1 within it."""

    id: int = 0
    batch: int = 0
    rank: int = 0
    status: Status = "open"
    created: datetime = datetime.min

    @cached_property
    def composition(self) -> Composition:
        return parse_formula(self.formula)


@dataclass(frozen=True)
class NewObservation:
    """One checked result; build it with `checking.checked`.

    Attributes:
        conductivity: S/cm at `temperature_K`; the bound itself when `censored`; None of a failed synthesis.
        value, unit: the conductivity as it was sent.
        censored: σ is only known to lie below.
        failed: the synthesis failed, `reason` says how; a result of its own.
        suggestion: id of the suggestion that it answers, when the sender named one.
        measured_by, measured_on, source: who, when (as sent), and a DOI or another source.
        key: of the client, unique within its campaign; the same key twice is the same observation.
        digest: sha256 of the content, which tells a repeated post from a different one.
    """

    formula: str
    key: str
    digest: str
    conductivity: float | None = None
    value: float | None = None
    unit: str | None = None
    temperature_K: float = ROOM_TEMPERATURE
    kind: Kind = "unknown"
    censored: bool = False
    failed: bool = False
    reason: str = ""
    suggestion: int | None = None
    cif: str | None = None
    measured_by: str = ""
    measured_on: str = ""
    source: str = ""

    @cached_property
    def composition(self) -> Composition:
        return parse_formula(self.formula)


@dataclass(frozen=True)
class Observation(NewObservation):
    """An observation as it is stored.

    Attributes:
        suggestion: named by the sender, or found by its composition.
        batch: of the suggestions that it followed; 0 before the first.
        received: when it was stored.
    """

    id: int = 0
    campaign: str = ""
    batch: int = 0
    received: datetime = datetime.min


@dataclass(frozen=True)
class Stored:
    """The outcome of a post: the stored observation, and whether this post is what stored it."""

    observation: Observation
    new: bool
