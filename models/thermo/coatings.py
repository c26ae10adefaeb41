"""Which coating would keep an electrolyte and a cathode apart: a funnel over all lithium compositions of a hull."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pymatgen.core import Composition

from ionscout.datasets.composition import check_elements
from ionscout.datasets.errors import IonscoutError, UnknownName
from ionscout.datasets.hulls.base import Hull
from ionscout.models.thermo.checkpoint import Checkpoint
from ionscout.models.thermo.coating_gates import CONDUCTIVITY, STAGES, Coating, CoatingOptions, Gates
from ionscout.models.thermo.equilibrium import stated_formula

CHUNK = 100  # candidates per line of progress and write to the checkpoint: about a second of work

Progress = Callable[[int, int], None]
Conductivity = Callable[[Composition], float]


@dataclass(frozen=True)
class Stage:
    """One gate of the funnel: how many candidates reached it and how many it let through."""

    name: str
    entered: int
    passed: int


@dataclass(frozen=True)
class CoatingScreen:
    """The funnel between one electrolyte and one cathode on one hull.

    Attributes:
        charged_cathode: the half-delithiated cathode that was used.
        stages: in their order.
        ranked: the candidates that pass all gates, the mildest worst reaction first.
        dropped: all others.
    """

    electrolyte: str
    cathode: str
    charged_cathode: str
    hull: str
    hull_version: str
    correction: str
    options: CoatingOptions
    stages: tuple[Stage, ...]
    ranked: tuple[Coating, ...]
    dropped: tuple[Coating, ...]

    def find(self, formula: str) -> Coating:
        """A candidate by its formula, passed or dropped.

        Raises:
            UnknownName: it was no candidate; `assess_coating` judges any composition.
        """
        wanted = Composition(formula).reduced_formula
        for candidate in (*self.ranked, *self.dropped):
            if candidate.formula == wanted:
                return candidate
        raise UnknownName(f"{formula} is no lithium composition of the hull {self.hull}; ask about it on its own.")


def assess_coating(
    coating: Composition,
    electrolyte: Composition,
    cathode: Composition,
    hull: Hull,
    *,
    options: CoatingOptions | None = None,
    conductivity: Conductivity | None = None,
) -> Coating:
    """All values of one candidate, and every gate that it fails.

    Raises:
        UnsupportedElement, DataUnavailable: an element without data on this hull, or a radioactive one.
        NoLithium: electrolyte or cathode hold none.
        InvalidInput: a threshold that is no number.
    """
    check_elements(coating, need_lithium=False)
    return Gates(electrolyte, cathode, hull, options, conductivity).judge(coating, all_gates=True)


def screen_coatings(
    electrolyte: Composition,
    cathode: Composition,
    hull: Hull,
    *,
    options: CoatingOptions | None = None,
    conductivity: Conductivity | None = None,
    candidates: Sequence[str] | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> CoatingScreen:
    """Send every lithium compound of the hull through the gates of `coating_gates`.

    The method of Xiao et al., Joule 3, 1252 (2019): phase stability, electronic insulation, electrochemical window,
    chemical stability with electrolyte and cathode (lithiated and half delithiated), lithium conduction.

    Args:
        conductivity: predicts log10(σ / S cm⁻¹) of the candidates that pass everything else.
        candidates: formulas; by default all lithium compounds of the hull.
        checkpoint: folder in which finished candidates are kept; the same question asked again goes on from there.
        progress: called with (done, all).

    Raises:
        UnsupportedElement, DataUnavailable: electrolyte or cathode have an element without data on this hull.
        NoLithium: electrolyte or cathode hold none.
        InvalidInput: a threshold that is no number; BadData: the checkpoint folder cannot be used.
    """
    options = options or CoatingOptions()
    Gates(electrolyte, cathode, hull, options, conductivity)  # refuses a threshold that has no model
    # The conductivity model may change while the thermodynamics do not: it is asked last, outside the checkpoint.
    gates = Gates(electrolyte, cathode, hull, replace(options, min_log10_conductivity=None))
    hull.columns({el.symbol for el in (*gates.electrolyte.elements, *gates.cathode.elements)})  # unknown elements
    names = hull.compositions("Li") if candidates is None else list(candidates)
    parsed = [composition for composition in map(Composition, dict.fromkeys(names)) if len(composition) > 1]
    # Neighbours share a chemical system, whose linear program then stays warm.
    parsed.sort(key=lambda composition: (sorted(el.symbol for el in composition.elements), composition.formula))

    saved = None if checkpoint is None else Checkpoint(checkpoint, "coatings", _question(gates))
    done = {} if saved is None else {item["formula"]: _coating(item) for item in saved.items}
    left = [composition for composition in parsed if composition.reduced_formula not in done]
    for start in range(0, len(left), CHUNK):
        new = [_judge(gates, composition) for composition in left[start : start + CHUNK]]
        if saved is not None:
            saved.append(asdict(candidate) for candidate in new)
        done |= {candidate.formula: candidate for candidate in new}
        if progress is not None:
            progress(len(parsed) - len(left) + min(start + CHUNK, len(left)), len(parsed))
    if progress is not None and not left:
        progress(len(parsed), len(parsed))
    found = [done[composition.reduced_formula] for composition in parsed]
    if conductivity is not None:
        found = [_conducts(candidate, conductivity, options) for candidate in found]
    return _screen(gates, options, found, conductivity is not None)


def _judge(gates: Gates, composition: Composition) -> Coating:
    try:
        return gates.judge(composition)
    except IonscoutError as error:  # one candidate that cannot be judged does not stop the others
        return Coating(stated_formula(composition), failed=(STAGES[0],), reason=str(error))


def _conducts(candidate: Coating, conductivity: Conductivity, options: CoatingOptions) -> Coating:
    if candidate.failed:
        return candidate
    value, needed = float(conductivity(Composition(candidate.formula))), options.min_log10_conductivity
    if needed is None or value >= needed:
        return replace(candidate, log10_conductivity=value)
    reason = f"predicted log10 σ {value:.1f}, needed are {needed:g}"
    return replace(candidate, log10_conductivity=value, failed=(CONDUCTIVITY,), reason=reason)


def _screen(gates: Gates, options: CoatingOptions, found: list[Coating], conducts: bool) -> CoatingScreen:
    lost = Counter(candidate.dropped_at for candidate in found)
    stages, left = [], len(found)
    for name in STAGES if conducts else STAGES[:-1]:
        stages.append(Stage(name, left, left - lost[name]))
        left -= lost[name]
    passed = [candidate for candidate in found if not candidate.failed]
    passed.sort(key=lambda candidate: (-(candidate.worst_reaction or 0.0), candidate.formula))
    return CoatingScreen(
        electrolyte=stated_formula(gates.electrolyte),
        cathode=stated_formula(gates.cathode),
        charged_cathode=stated_formula(gates.charged),
        hull=gates.hull.name,
        hull_version=gates.hull.version,
        correction=gates.hull.correction,
        options=options,
        stages=tuple(stages),
        ranked=tuple(passed),
        dropped=tuple(candidate for candidate in found if candidate.failed),
    )


def _question(gates: Gates) -> dict[str, Any]:
    """All that the thermodynamic values of a candidate depend on."""
    return {
        "hull": gates.hull.name,
        "version": gates.hull.version,
        "electrolyte": stated_formula(gates.electrolyte),
        "cathode": stated_formula(gates.cathode),
        "options": asdict(gates.options),
    }


def _coating(item: dict[str, Any]) -> Coating:
    return Coating(**{**item, "failed": tuple(item["failed"])})
