"""Whether the data of a retraining can be trusted: schema, ranges, units, duplicates, and drift of what is new."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from ionscout.datasets.sources.base import ROOM_TEMPERATURE, Measurement
from ionscout.datasets.sources.repeats import SAME_FORMULA, contradictory, fraction_matrix, repeated
from ionscout.training.promotion.predictions import row_hash
from ionscout.training.retraining.drift import Drift, drift

Level = Literal["error", "warning"]
# log10 σ (S/cm): the best solid conductors reach 0.03 S/cm at room temperature and molten salts a few S/cm; below 1e-20
# no instrument measures.
CONDUCTIVITIES = (-20.0, 1.0)
TEMPERATURES = (100.0, 1500.0)  # K
ENERGIES = (0.0, 5.0)  # eV
BEST_AT_ROOM = -1.0  # log10 σ: more at room temperature usually is mS/cm that were read as S/cm
NEAR = 20.0  # K
UNIT = 2.0  # decades: laboratories differ by 0.45 in the median, mS against S by 3
FEW = 3  # compositions measured again, below which a shift of all of them says nothing
SHOWN = 10  # rows named in a finding


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (`error`: nothing is trained) or odd (`warning`), and the rows that show it."""

    level: Level
    check: str
    words: str
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValidationReport:
    """What was found in n rows, of which `new` ones came after the champion was trained."""

    rows: int
    new: int
    sources: dict[str, int]
    findings: tuple[Finding, ...]
    drift: Drift

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.level == "error")

    def as_dict(self) -> dict:
        return {"usable": not self.errors, **asdict(self)}


def validate(rows: Sequence[Measurement], trained: frozenset[str] | None = None) -> ValidationReport:
    """Check all rows. Faults of new rows are errors; those of rows that trained the champion are warnings.

    Args:
        trained: hashed names of the rows that trained the champion; None: every row of a user counts as new.
    """
    known = [_is_known(m, trained) for m in rows]
    new = [m for m, old in zip(rows, known, strict=True) if not old]
    old = [m for m, old in zip(rows, known, strict=True) if old]
    findings: list[Finding] = []
    for check, words, wrong in _FAULTS:
        for group, level in ((new, "error"), (old, "warning")):
            found = [m.name for m in group if wrong(m)]
            if found:
                of = "new" if level == "error" else "known"
                findings.append(Finding(level, check, f"{len(found)} {of} rows {words}", tuple(found[:SHOWN])))  # type: ignore[arg-type]
    findings += [*_names(rows), *_units(new, old), *_duplicates(rows)]
    return ValidationReport(
        rows=len(rows),
        new=len(new),
        sources=dict(Counter(m.source for m in rows)),
        findings=tuple(findings),
        drift=drift(new, old),
    )


def is_own(m: Measurement) -> bool:
    """Whether a row came from a user and not from a published table."""
    return m.source in ("user", "campaign")


def _is_known(m: Measurement, trained: frozenset[str] | None) -> bool:
    return not is_own(m) if trained is None else row_hash(m) in trained


def _outside(value: float | None, limits: tuple[float, float]) -> bool:
    return value is not None and np.isfinite(value) and not limits[0] <= value <= limits[1]


_FAULTS: tuple[tuple[str, str, Callable[[Measurement], bool]], ...] = (
    (
        "schema",
        "report neither a conductivity nor an activation energy",
        lambda m: not np.isfinite(m.log10_conductivity) and m.activation_energy_eV is None,
    ),
    ("schema", "contain no lithium", lambda m: m.composition["Li"] <= 0),
    (
        "ranges",
        f"have a log10 conductivity outside {CONDUCTIVITIES[0]:g} to {CONDUCTIVITIES[1]:g} (S/cm)",
        lambda m: _outside(m.log10_conductivity, CONDUCTIVITIES),
    ),
    (
        "ranges",
        f"have a temperature outside {TEMPERATURES[0]:g} to {TEMPERATURES[1]:g} K (°C sent as K?)",
        lambda m: not TEMPERATURES[0] <= m.temperature_K <= TEMPERATURES[1],
    ),
    (
        "ranges",
        f"have an activation energy outside {ENERGIES[0]:g} to {ENERGIES[1]:g} eV (kJ/mol sent as eV?)",
        lambda m: _outside(m.activation_energy_eV, ENERGIES),
    ),
)


def _names(rows: Sequence[Measurement]) -> list[Finding]:
    counts = Counter(m.name for m in rows)
    twice = [name for name, count in counts.items() if count > 1]
    return [Finding("error", "schema", f"{len(twice)} names are given twice", tuple(twice[:SHOWN]))] if twice else []


def _units(new: Sequence[Measurement], old: Sequence[Measurement]) -> list[Finding]:
    """Conductivities that look as if their unit had been lost."""
    findings = []
    high = [
        m.name for m in new if abs(m.temperature_K - ROOM_TEMPERATURE) <= NEAR and m.log10_conductivity > BEST_AT_ROOM
    ]
    if high:
        words = f"{len(high)} new rows exceed {10**BEST_AT_ROOM:g} S/cm at room temperature: mS/cm read as S/cm?"
        findings.append(Finding("warning", "units", words, tuple(high[:SHOWN])))
    shifts = _shifts(new, old)
    median = np.median(list(shifts.values())) if shifts else 0.0
    if len(shifts) >= FEW and abs(median) >= UNIT:
        words = (
            f"{len(shifts)} new rows of compositions that others have measured lie {median:+.1f} decades "
            "from theirs in the median: was a unit lost?"
        )
        furthest = sorted(shifts, key=lambda name: -abs(shifts[name]))
        findings.append(Finding("error", "units", words, tuple(furthest[:SHOWN])))
    return findings


def _shifts(new: Sequence[Measurement], old: Sequence[Measurement]) -> dict[str, float]:
    """log10 σ of new rows, by name, minus the median of known rows of their composition and temperature."""
    shifts: dict[str, float] = {}
    if not new or not old:
        return shifts
    reference = fraction_matrix(old)
    values = np.array([np.nan if m.censored else m.log10_conductivity for m in old])
    kelvins = np.array([m.temperature_K for m in old])
    for m, fractions in zip(new, fraction_matrix(new), strict=True):
        same = (np.abs(reference - fractions).max(1) <= SAME_FORMULA) & np.isfinite(values)
        same &= np.abs(kelvins - m.temperature_K) <= NEAR
        if same.any() and not m.censored and np.isfinite(m.log10_conductivity):
            shifts[m.name] = float(m.log10_conductivity - np.median(values[same]))
    return shifts


def _duplicates(rows: Sequence[Measurement]) -> list[Finding]:
    own = [m for m in rows if is_own(m)]
    findings = []
    pairs = repeated(own)
    if pairs:
        names = tuple(own[later].name for later, _ in pairs[:SHOWN])
        words = f"{len(pairs)} own rows repeat another one (composition, temperature, value)"
        findings.append(Finding("warning", "duplicates", words, names))
    clashes = contradictory(own)
    if clashes:
        names = tuple(own[b].name for _, b in clashes[:SHOWN])
        words = f"{len(clashes)} pairs of own rows of one composition differ by two decades or more"
        findings.append(Finding("warning", "duplicates", words, names))
    return findings
