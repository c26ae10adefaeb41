"""Series of materials whose conductivities are ordered: rules in `series.yaml`, and the measured rows they find."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ionscout.datasets.composition import atomic_fractions, parse_formula
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.repeats import fraction_matrix

RULES = Path(__file__).with_suffix(".yaml")
# Atomic fractions: rounding in print. A step of a series is 0.003 or more.
SAME_MEMBER = 0.0025
NEAR_ROOM = (288.0, 308.0)  # K; conductivity changes by less than 0.4 decades over it


class Member(BaseModel):
    """A formula, and the space groups it must have been reported in (empty: any)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    formula: str
    space_groups: tuple[int, ...] = ()


def _member(value: Any) -> Any:
    return {"formula": value} if isinstance(value, str) else value


class Series(BaseModel):
    """One ordered series: groups of members (`levels`, best first) or compositions along a `line`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str = Field(description="DOI of a paper that states the order.")
    levels: tuple[tuple[Annotated[Member, BeforeValidator(_member)], ...], ...] = ()
    line: tuple[str, str] | None = None
    range: tuple[float, float] = (0.0, 1.0)
    direction: Literal["rising", "falling"] = "rising"
    step: float = Field(0.2, gt=0, description="Smallest difference along the line that is compared.")

    @model_validator(mode="after")
    def _one_kind(self) -> "Series":
        if bool(self.levels) == (self.line is not None) or len(self.levels) == 1:
            raise ValueError(f"{self.name}: give two or more levels, or a line.")
        return self

    def heights(self, measurements: Sequence[Measurement]) -> np.ndarray:
        """Place of every measurement in the declared order [n], higher conducts better; NaN: no member."""
        if self.line is not None:
            x = self._along(fraction_matrix(measurements))
            return x if self.direction == "rising" else -x
        height = np.full(len(measurements), np.nan)
        fractions = fraction_matrix(measurements)
        for rank, level in enumerate(self.levels):
            for member in level:
                wanted = atomic_fractions(parse_formula(member.formula))
                for i in np.flatnonzero(np.abs(fractions - wanted).max(1) <= SAME_MEMBER):
                    if not member.space_groups or _group(measurements[int(i)]) in member.space_groups:
                        height[i] = -rank
        return height

    def _along(self, fractions: np.ndarray) -> np.ndarray:
        """Position on the line [n], NaN off it: the least-squares x of f ∝ (1 − x)·first + x·second."""
        assert self.line is not None
        first, second = (_amounts(formula) for formula in self.line)
        basis = np.stack([first, second - first], 1)
        weights = fractions @ np.linalg.pinv(basis).T
        with np.errstate(divide="ignore", invalid="ignore"):
            x = weights[:, 1] / weights[:, 0]
        miss = np.abs(weights @ basis.T - fractions).max(1)
        low, high = self.range
        slack = 0.02
        inside = (miss <= SAME_MEMBER) & (weights[:, 0] > 0) & (x >= low - slack) & (x <= high + slack)
        return np.where(inside, x, np.nan)

    @property
    def resolution(self) -> float:
        """Smallest difference of heights that is compared."""
        return self.step if self.line is not None else 1.0


@dataclass(frozen=True)
class FoundSeries:
    """A series and its rows in a list of measurements.

    `rows` [k]: row numbers; `height` [k]: place in the declared order; `point` [k]: rows of one composition (and level)
    share a number, since they are repeats.
    """

    series: Series
    rows: np.ndarray
    height: np.ndarray
    point: np.ndarray

    @property
    def points(self) -> int:
        return int(self.point.max()) + 1 if len(self.point) else 0


@lru_cache
def series_rules() -> tuple[Series, ...]:
    """The rules of `series.yaml`."""
    return tuple(Series.model_validate(rule) for rule in yaml.safe_load(RULES.read_text(encoding="utf-8")))


def find_series(measurements: Sequence[Measurement], rules: Sequence[Series] | None = None) -> list[FoundSeries]:
    """Rows of every series among the measurements near room temperature; those with nothing to compare are left out."""
    warm = np.array([NEAR_ROOM[0] <= m.temperature_K <= NEAR_ROOM[1] for m in measurements], dtype=bool)
    known = np.array([np.isfinite(m.log10_conductivity) for m in measurements], dtype=bool)
    fractions = fraction_matrix(measurements)
    found = []
    for series in series_rules() if rules is None else rules:
        height = series.heights(measurements)
        rows = np.flatnonzero(np.isfinite(height) & warm & known)
        if len(rows) and np.ptp(height[rows]) >= series.resolution:
            found.append(FoundSeries(series, rows, height[rows], _points(fractions[rows], height[rows])))
    return found


def rules_without_rows(measurements: Sequence[Measurement]) -> list[str]:
    """Names of the shipped rules that find nothing to compare among the measurements, so that reports can say so."""
    found = {series.series.name for series in find_series(measurements)}
    return [rule.name for rule in series_rules() if rule.name not in found]


def series_groups(
    measurements: Sequence[Measurement], groups: np.ndarray, rules: Sequence[Series] | None = None
) -> np.ndarray:
    """Merge publication groups [n] that share a series, so that folds hold out every series as a whole."""
    label = np.unique(groups, return_inverse=True)[1]
    first: list[int] = []
    second: list[int] = []
    for found in find_series(measurements, rules):
        first += label[found.rows[:-1]].tolist()
        second += label[found.rows[1:]].tolist()
    count = int(label.max(initial=-1)) + 1
    links = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return connected_components(links, directed=False)[1][label]


def _points(fractions: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Number of each row's composition at its height [k]; the first row that is the same names it."""
    first = [
        int(np.argmax((np.abs(fractions - f).max(1) <= SAME_MEMBER / 2) & (np.abs(height - h) < 1e-2)))
        for f, h in zip(fractions, height, strict=True)
    ]
    return np.unique(first, return_inverse=True)[1]


def _amounts(formula: str) -> np.ndarray:
    composition = parse_formula(formula)
    return atomic_fractions(composition) * composition.num_atoms


def _group(m: Measurement) -> int | None:
    return m.space_group or (m.cell.space_group if m.cell else None)
