"""The gates that a coating has to pass between an electrolyte and a cathode, and one candidate's way through them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields

from pymatgen.core import Composition, Element

from ionscout.datasets.composition import check_elements
from ionscout.datasets.errors import InvalidInput, IonscoutError
from ionscout.datasets.hulls.base import Hull
from ionscout.models.thermo.band_gap import band_gap
from ionscout.models.thermo.equilibrium import energy_above_hull, stated_formula, stated_unit
from ionscout.models.thermo.interface import half_delithiated, interface
from ionscout.models.thermo.window import window

ELEMENTS, STABILITY, GAP = "elements", "stability", "band gap"
OXIDATION, REDUCTION = "oxidation limit", "reduction limit"
ELECTROLYTE, CATHODE, CHARGED = "electrolyte", "cathode", "charged cathode"
CONDUCTIVITY = "conductivity"
STAGES = (ELEMENTS, STABILITY, GAP, OXIDATION, REDUCTION, ELECTROLYTE, CATHODE, CHARGED, CONDUCTIVITY)

Values = dict[str, float | str | None]


@dataclass(frozen=True)
class CoatingOptions:
    """Thresholds, by default those of Xiao et al., Joule 3, 1252 (2019).

    Attributes:
        max_above_hull: eV/atom.
        min_band_gap: eV (PBE).
        min_oxidation: V vs Li/Li⁺, so that the coating survives the charged cathode.
        max_reduction: V vs Li/Li⁺, so that it survives the discharged one.
        max_reaction: eV per atom of both reactants, with electrolyte and cathode.
        min_log10_conductivity: of S/cm; only with a conductivity model.
    """

    max_above_hull: float = 0.005
    min_band_gap: float = 0.5
    min_oxidation: float = 4.0
    max_reduction: float = 2.7
    max_reaction: float = 0.1
    min_log10_conductivity: float | None = None

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if value is not None and not abs(value) < float("inf"):
                raise InvalidInput(f"The threshold {option.name} is not a finite number; leave it out or give one.")
        if min(self.max_above_hull, self.min_band_gap, self.max_reaction) < 0:
            raise InvalidInput("Energies above hull, band gaps and reaction energies have thresholds of 0 or more.")


@dataclass(frozen=True)
class Coating:
    """One candidate. What was not computed (dropped before, or unknown) is None.

    Attributes:
        energy_above_hull: eV/atom.
        band_gap: eV (PBE), with `band_gap_source`.
        reduction_limit, oxidation_limit: V vs Li/Li⁺.
        with_electrolyte, with_cathode, with_charged_cathode: most exothermic closed reactions, eV per atom of both.
        log10_conductivity: of S/cm, predicted.
        failed: the gates that it does not pass, in the order of `STAGES`; the first one dropped it.
        reason: in words, of the first.
    """

    formula: str
    energy_above_hull: float | None = None
    band_gap: float | None = None
    band_gap_source: str | None = None
    reduction_limit: float | None = None
    oxidation_limit: float | None = None
    with_electrolyte: float | None = None
    with_cathode: float | None = None
    with_charged_cathode: float | None = None
    log10_conductivity: float | None = None
    failed: tuple[str, ...] = field(default=())
    reason: str = ""

    @property
    def dropped_at(self) -> str | None:
        """The first gate that it fails; None for a candidate that passes all."""
        return self.failed[0] if self.failed else None

    @property
    def worst_reaction(self) -> float | None:
        """The most negative of the three reaction energies, eV/atom; None where one was not computed."""
        found = [self.with_electrolyte, self.with_cathode, self.with_charged_cathode]
        return None if any(value is None for value in found) else min(value for value in found if value is not None)


class Gates:
    """All gates between one electrolyte and one cathode.

    Args:
        conductivity: predicts log10(σ / S cm⁻¹) of a composition at room temperature; without it that gate is open.

    Raises:
        NoLithium: electrolyte or cathode hold none.
        InvalidInput: a threshold of the conductivity without a model.
    """

    def __init__(
        self,
        electrolyte: Composition,
        cathode: Composition,
        hull: Hull,
        options: CoatingOptions | None = None,
        conductivity: Callable[[Composition], float] | None = None,
    ) -> None:
        check_elements(electrolyte)
        self.electrolyte, self.cathode = stated_unit(electrolyte), stated_unit(cathode)
        self.charged = half_delithiated(cathode)
        self.hull, self.options, self.conductivity = hull, options or CoatingOptions(), conductivity
        if conductivity is None and self.options.min_log10_conductivity is not None:
            raise InvalidInput("A threshold of the conductivity needs a conductivity model.")

    def judge(self, composition: Composition, *, all_gates: bool = False) -> Coating:
        """Send one candidate through the gates, cheap ones first.

        Args:
            all_gates: go on after a gate is failed, so that every value is known.
        """
        values: Values = {}
        failed: list[str] = []
        reasons: list[str] = []
        for stage, found, reason in self._gates(composition):
            values |= found
            if reason is not None:
                failed.append(stage)
                reasons.append(reason)
                if not all_gates or stage == ELEMENTS:
                    break
        formula = stated_formula(composition)
        return Coating(formula, **values, failed=tuple(failed), reason=next(iter(reasons), ""))  # type: ignore[arg-type]

    def _gates(self, candidate: Composition) -> Iterator[tuple[str, Values, str | None]]:
        """(stage, values, why it fails or None), one gate after the other."""
        unusable = next((el.symbol for el in candidate.elements if Element(el.symbol).is_radioactive), None)
        yield ELEMENTS, {}, f"{unusable} is radioactive" if unusable else None

        limit = self.options
        above = energy_above_hull(candidate, self.hull)
        if above is None:
            yield STABILITY, {}, "the hull has no entry of this composition"
        else:
            worse = above > limit.max_above_hull
            reason = f"{1000 * above:.0f} meV/atom above hull, allowed are {1000 * limit.max_above_hull:.0f}"
            yield STABILITY, {"energy_above_hull": above}, reason if worse else None

        gap = band_gap(candidate, self.hull)
        if gap is None:
            yield GAP, {}, "its band gap is unknown"
        else:
            found: Values = {"band_gap": gap.value, "band_gap_source": gap.source}
            narrow = gap.value < limit.min_band_gap
            yield GAP, found, f"band gap {gap.value:.2f} eV, needed are {limit.min_band_gap:g}" if narrow else None

        own = window(candidate, self.hull)
        high, low = own.oxidation_limit, own.reduction_limit
        lasts = high is None or high >= limit.min_oxidation
        oxidised = None if lasts else f"oxidised at {high:.2f} V, needed are {limit.min_oxidation:g}"
        yield OXIDATION, {"oxidation_limit": high, "reduction_limit": low}, oxidised
        reduced = low > limit.max_reduction
        yield REDUCTION, {}, f"reduced at {low:.2f} V, allowed are {limit.max_reduction:g}" if reduced else None

        for stage, name, other in (
            (ELECTROLYTE, "with_electrolyte", self.electrolyte),
            (CATHODE, "with_cathode", self.cathode),
            (CHARGED, "with_charged_cathode", self.charged),
        ):
            yield stage, *self._reaction(candidate, name, other)

        if self.conductivity is not None:
            value = float(self.conductivity(candidate))
            needed = limit.min_log10_conductivity
            slow = needed is not None and value < needed
            yield (
                CONDUCTIVITY,
                {"log10_conductivity": value},
                f"predicted log10 σ {value:.1f}, needed are {needed:g}" if slow else None,
            )

    def _reaction(self, candidate: Composition, name: str, other: Composition) -> tuple[Values, str | None]:
        try:
            energy = interface(candidate, other, self.hull).reaction_energy
        except IonscoutError as error:
            return {name: None}, str(error)
        if -energy < self.options.max_reaction:
            return {name: energy}, None
        allowed = 1000 * self.options.max_reaction
        partner = stated_formula(other)
        return {name: energy}, f"{1000 * energy:.0f} meV/atom with {partner}, allowed are less than {allowed:.0f}"
