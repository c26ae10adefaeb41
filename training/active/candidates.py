"""Candidates: every plausible dopant in every plausible state on every sub-lattice, with its charge balanced."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

from pymatgen.core import Composition, Element, Structure

from ionscout.datasets.composition import HEAVIEST
from ionscout.datasets.errors import InvalidInput, UnsupportedElement
from ionscout.datasets.hulls import Hull
from ionscout.datasets.structure import ConventionalCell, Material
from ionscout.training.active.compensation import (
    HALOGENS,
    Kind,
    Substitution,
    fits,
    kind_of,
    lithium_change,
    lithium_left,
    mechanism,
)
from ionscout.training.active.doping import doped_structure, volume_ratio
from ionscout.training.active.host import LITHIUM, Host, lithium_first
from ionscout.training.active.ions import Ion, anion_state, cation_states, usable_elements
from ionscout.training.active.sites import Placement, placements

AMOUNTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 1.0, 1.5)  # atoms per formula unit


@dataclass(frozen=True)
class CandidateOptions:
    """What to enumerate.

    Attributes:
        elements: dopants to consider; None takes every element that is not radioactive.
        excluded: dopants to leave out.
        amounts: grid, atoms per formula unit.
        largest_share: of the ions on its suitable sites that a cation of another charge may replace.
        largest_anion_share: the same for an anion (argyrodites take 0.6 to 0.7 of their free sulfur as chloride).
        largest_isovalent_share: the same for a dopant of the same charge.
        most_vacancies: share of the host's lithium that may be missing.
        co_doping: pair dopants on two sub-lattices.
        pair_amounts: grid for pairs.
        pair_energy: eV up to which the placement of a dopant counts for pairs (`sites`).
        anion_compensation: balance cations by a second anion as well.
    """

    elements: tuple[str, ...] | None = None
    excluded: tuple[str, ...] = ()
    amounts: tuple[float, ...] = AMOUNTS
    largest_share: float = 0.3
    largest_anion_share: float = 0.6
    largest_isovalent_share: float = 1.0
    most_vacancies: float = 0.25
    co_doping: bool = True
    pair_amounts: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.5)
    pair_energy: float = 0.8
    anion_compensation: bool = True


@dataclass(frozen=True)
class Candidate:
    """One doped composition of a host.

    Attributes:
        substitutions: what replaces what, where and how much; one or two.
        placements: how well each dopant fits its site, in the order of `substitutions`.
        host: what is doped.
    """

    substitutions: tuple[Substitution, ...]
    placements: tuple[Placement, ...]
    host: Host = field(repr=False, compare=False)

    @cached_property
    def content(self) -> dict[str, float]:
        """Atoms of each element in one formula unit of the host, doped and neutral."""
        amounts = {e.symbol: float(n) for e, n in self.host.composition.items()}
        for s in self.substitutions:
            amounts[s.host_ion.symbol] -= s.amount
            amounts[s.ion.symbol] = amounts.get(s.ion.symbol, 0.0) + s.amount
        amounts[LITHIUM] = lithium_left(self.substitutions, self.host)
        return {symbol: n for symbol, n in amounts.items() if n > 1e-6}

    @cached_property
    def composition(self) -> Composition:
        """The same as a pymatgen composition."""
        return Composition(self.content)

    @cached_property
    def formula(self) -> str:
        """The same as text, lithium first."""
        return lithium_first(self.composition)

    @property
    def mechanism(self) -> str:
        """In words, e.g. `Ga³⁺ on Li⁺, 2 lithium vacancies`."""
        return mechanism(self.substitutions)

    @property
    def kind(self) -> Kind:
        """Of compensation, in a word or two."""
        return kind_of(self.substitutions)

    @property
    def idea(self) -> tuple[str, ...]:
        """What replaces what, whatever the amounts."""
        return tuple(sorted(str(s) for s in self.substitutions))

    @property
    def lithium_change(self) -> float:
        """Lithium ions added (negative: taken out) for balance, per formula unit."""
        return lithium_change(self.substitutions)

    @property
    def dopants(self) -> tuple[str, ...]:
        """Element symbols, one for each substitution."""
        return tuple(s.ion.symbol for s in self.substitutions)

    @property
    def sites(self) -> tuple[str, ...]:
        """Host elements that are replaced."""
        return tuple(s.host_ion.symbol for s in self.substitutions)

    @property
    def amounts(self) -> tuple[float, ...]:
        """Dopant atoms per formula unit."""
        return tuple(s.amount for s in self.substitutions)

    @property
    def states(self) -> tuple[float, ...]:
        """Oxidation states of the dopants."""
        return tuple(s.ion.charge for s in self.substitutions)

    @property
    def charge(self) -> float:
        """Net charge per formula unit from all oxidation states; 0 up to rounding."""
        total = sum(self.host.states[e.symbol] * n for e, n in self.host.composition.items())
        return float(total + sum(s.charge for s in self.substitutions) + self.lithium_change)

    @property
    def site_energy(self) -> float:
        """Mean placement energy in eV per dopant ion: how badly the dopants fit their sites."""
        pairs = zip(self.placements, self.substitutions, strict=True)
        return sum(p.energy * s.amount for p, s in pairs) / sum(self.amounts)

    @property
    def strain(self) -> float:
        """Strain in eV per formula unit that this much of the dopants brings; what is too much segregates."""
        return sum(p.strain * s.amount for p, s in zip(self.placements, self.substitutions, strict=True))

    @property
    def realised(self) -> float:
        """Share of the dopants that stay where they are put, 0 … 1; the rest moves to better sites."""
        return math.prod(p.realised for p in self.placements)

    @cached_property
    def structure(self) -> Structure | None:
        """Doped average structure with partial occupancies; None for a host without a structure."""
        return doped_structure(self.host, self.substitutions)

    @cached_property
    def cell(self) -> ConventionalCell | None:
        """Conventional cell, scaled from the host's."""
        known = self.host.cell
        if known is None:
            return None
        scale = volume_ratio(self.substitutions, self.host) ** (1 / 3)
        a, b, c, *angles = known.lattice
        atoms = known.atoms * self.composition.num_atoms / self.host.composition.num_atoms
        return ConventionalCell(known.space_group, (scale * a, scale * b, scale * c, *angles), atoms)

    @property
    def material(self) -> Material:
        """As the conductivity model takes it."""
        return Material(self.composition, self.structure, self.formula, "json", (), self.cell)


def enumerate_candidates(
    host: Host, options: CandidateOptions | None = None, hull: Hull | None = None
) -> Iterator[Candidate]:
    """All candidates, lazily and each composition once: single dopants by site energy, then pairs.

    Args:
        host: from `host.host_of`.
        options: what to enumerate.
        hull: tells which oxidation state an element takes beside the host's anion; tables do without it.

    Raises:
        UnsupportedElement: a name in `elements` or `excluded` is no element, or radioactive.
        InvalidInput: the grid of amounts is empty or not positive.
    """
    options = options or CandidateOptions()
    check_options(options)
    return _candidates(host, options, hull)


def check_options(options: CandidateOptions) -> None:
    """Refuse what cannot be enumerated; raises as `enumerate_candidates`."""
    for symbol in (*(options.elements or ()), *options.excluded):
        if not Element.is_valid_symbol(symbol):
            raise UnsupportedElement(f"'{symbol}' is not an element; name dopants by their symbols, such as Al,Ga,Ta.")
        if Element(symbol).Z > HEAVIEST or Element(symbol).is_radioactive:
            raise UnsupportedElement(f"{symbol} is radioactive; leave it out of the dopants.")
    if not options.amounts or min((*options.amounts, *options.pair_amounts), default=0) <= 0:
        raise InvalidInput("The amounts of dopants must be positive numbers of atoms per formula unit.")


def dopant_placements(host: Host, options: CandidateOptions, hull: Hull | None = None) -> list[Placement]:
    """Every ion that may be a dopant on every sub-lattice of its kind, best first."""
    wanted = options.elements if options.elements is not None else usable_elements()
    symbols = [s for s in wanted if s not in options.excluded and s != LITHIUM]
    present = {e.symbol for e in host.composition.elements if host.states[e.symbol] < 0}
    ions = [ion for s in symbols for ion in cation_states(s)]
    ions += [ion for s in symbols if (ion := anion_state(s)) is not None and _may_mix(ion, present)]
    return placements(ions, host, hull)


def scan(host: Host, dopant: Ion, replaced: str, amounts: Sequence[float], hull: Hull | None = None) -> list[Candidate]:
    """One substitution at a list of amounts (those that do not fit are left out).

    Raises:
        InvalidInput: the host has no such element, or the ions are not of one kind.
    """
    if replaced not in host.states or not any(s.ion.symbol == replaced for s in host.sublattices):
        raise InvalidInput(f"{host.formula} holds no {replaced}; name one of its elements.")
    states = [dopant] if dopant.is_anion else list({*cation_states(dopant.symbol), dopant})
    ranked = placements(states, host, hull)
    found = [p for p in ranked if p.host_ion.symbol == replaced and p.ion == dopant]
    if not found:
        raise InvalidInput(f"{dopant} cannot take the place of {replaced} in {host.formula}; choose a like ion.")
    most = host.sublattice(replaced).amount
    return [
        candidate
        for amount in amounts
        if 0 < amount <= most + 1e-9
        and (candidate := _candidate(host, [(found[0], min(amount, most))], 1.0)) is not None
    ]


def _may_mix(ion: Ion, present: set[str]) -> bool:
    """Nitride and tellurides in halides, oxide in iodides and the like are no solid solutions worth listing."""
    if ion.symbol in HALOGENS or ion.symbol in ("O", "S", "Se"):
        return True
    return bool(present & ({"O"} if ion.symbol == "N" else {"S", "Se"}))


def _candidates(host: Host, options: CandidateOptions, hull: Hull | None) -> Iterator[Candidate]:
    seen: set[tuple[tuple[str, float], ...]] = set()
    ranked = dopant_placements(host, options, hull)
    for chosen in _substitutions(host, ranked, options):
        candidate = _candidate(host, chosen, options.most_vacancies)
        if candidate is None:
            continue
        key = tuple(sorted((symbol, round(n, 4)) for symbol, n in candidate.content.items()))
        if key not in seen:
            seen.add(key)
            yield candidate


Chosen = list[tuple[Placement, float]]


def _substitutions(host: Host, ranked: list[Placement], options: CandidateOptions) -> Iterator[Chosen]:
    for placed in ranked:
        for amount in options.amounts:
            if amount <= _limit(placed, host, options) + 1e-9:
                yield [(placed, amount)]
    anions = [p for p in ranked if p.ion.is_anion and p.energy <= options.pair_energy]
    if options.anion_compensation:
        for placed in ranked:
            if not placed.ion.is_anion and placed.charge_difference and placed.energy <= 2 * options.pair_energy:
                for anion in anions:
                    yield from _balanced(placed, anion, host, options)
    if options.co_doping:
        good = [p for p in ranked if p.energy <= options.pair_energy]
        for first, second in sorted(combinations(good, 2), key=lambda pair: pair[0].energy + pair[1].energy):
            if first.host_ion == second.host_ion or first.ion.symbol == second.ion.symbol or _exchange(first, second):
                continue
            yield from _balanced(first, second, host, options)
            for a in options.pair_amounts:
                for b in options.pair_amounts:
                    if a <= _limit(first, host, options) + 1e-9 and b <= _limit(second, host, options) + 1e-9:
                        yield [(first, a), (second, b)]


def _exchange(first: Placement, second: Placement) -> bool:
    """Two host ions that only change places."""
    return first.ion.symbol == second.host_ion.symbol and second.ion.symbol == first.host_ion.symbol


def _balanced(first: Placement, second: Placement, host: Host, options: CandidateOptions) -> Iterator[Chosen]:
    """Pairs whose charges cancel, so that no lithium moves."""
    a, b = first.charge_difference, second.charge_difference
    if a * b >= 0:
        return
    for amount in options.pair_amounts:
        other = amount * abs(a / b)
        if amount <= _limit(first, host, options) + 1e-9 and other <= _limit(second, host, options) + 1e-9:
            yield [(first, amount), (second, other)]


def _limit(placed: Placement, host: Host, options: CandidateOptions) -> float:
    """Largest amount per formula unit, from the ions on the orbits that suit the dopant."""
    if not placed.charge_difference:
        return options.largest_isovalent_share * placed.available
    return (options.largest_anion_share if placed.ion.is_anion else options.largest_share) * placed.available


def _candidate(host: Host, chosen: Chosen, most_vacancies: float) -> Candidate | None:
    """One candidate, or None where lithium cannot balance its charge."""
    chosen = sorted(chosen, key=lambda pair: pair[0].ion.is_anion)
    substitutions = tuple(Substitution(p.ion, p.host_ion, p.orbits, amount) for p, amount in chosen)
    if not fits(substitutions, host, most_vacancies):
        return None
    return Candidate(substitutions, tuple(p for p, _ in chosen), host)
