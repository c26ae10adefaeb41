"""What a hull is: a named, versioned set of (composition, formation energy, provenance) with one energy scale."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Composition, Element

from ionscout.datasets.errors import BadData, UnsupportedElement
from ionscout.datasets.hulls.amounts import ATOMIC_NUMBERS, amounts_of, composition_key, parse_amounts

_ELEMENT_TOLERANCE = 1e-6  # eV/atom; formation energies of elements are 0 by definition


@dataclass(frozen=True)
class Phase:
    """One compound or element of a hull.

    Attributes:
        formula: reduced formula, e.g. `Li3PS4`.
        composition: one reduced formula unit.
        energy: formation energy in eV/atom, elements at 0.
        provenance: where the energy comes from: "mp-2019", "anchored", "predicted", "file", "element", …
        band_gap: eV, where the hull knows it.
    """

    formula: str
    composition: Composition
    energy: float
    provenance: str
    band_gap: float | None = None


@dataclass(frozen=True)
class Columns:
    """The phases of one chemical system as the columns of a linear program.

    Attributes:
        elements: symbols, in the order of the rows.
        fractions: atomic fractions, [n_elements, n_phases]; every column adds up to 1.
        energies: formation energies in eV/atom, [n_phases].
        ids: numbers that `Hull.phase` turns into a `Phase`, [n_phases].
    """

    elements: tuple[str, ...]
    fractions: np.ndarray
    energies: np.ndarray
    ids: np.ndarray


class Hull(ABC):
    """A set of phases with formation energies on one scale.

    Attributes:
        name: how the user asks for it, e.g. "mp-2019".
        version: changes whenever an energy in it does.
        correction: the energy-correction scheme in words; never two of them on one hull.
    """

    name: str
    version: str
    correction: str

    @abstractmethod
    def phases(self, elements: Iterable[str]) -> list[Phase]:
        """All phases within the chemical system, elements included, the ground state of each composition.

        Raises:
            UnsupportedElement, DataUnavailable: one sentence naming the element without data.
        """

    @abstractmethod
    def compositions(self, containing: str | None = None) -> list[str]:
        """Reduced formulas of all compounds and elements, or of those that contain one element."""

    @abstractmethod
    def columns(self, elements: Iterable[str]) -> Columns:
        """The same phases as `phases`, as arrays; elements in the sorted order of their symbols."""

    @abstractmethod
    def phase(self, number: int) -> Phase:
        """The phase with this number in `Columns.ids`."""

    @abstractmethod
    def energy_of(self, composition: Composition) -> float | None:
        """Formation energy (eV/atom) of the phase with exactly this composition, or None."""

    @property
    def description(self) -> str:
        """Name, version and correction scheme in one line, for answers and reports."""
        return f"{self.name} {self.version} ({self.correction})"


class TableHull(Hull):
    """A hull held in memory as arrays, with the elements of each phase as a bit mask for fast look-up.

    Args:
        formulas: one per row; of rows with the same composition only the lowest energy is kept.
        energies: formation energies in eV/atom, same length.
        provenance: one text for all rows, or one per row.
        band_gaps: eV or NaN, optional.

    Attributes:
        elements: symbols of all elements that this hull knows.

    Every element that occurs in a formula is added at 0 eV/atom unless it has a row of its own.

    Raises:
        BadData: a formula that does not parse, an energy that is not finite, an element away from 0.
    """

    def __init__(
        self,
        name: str,
        version: str,
        correction: str,
        formulas: Sequence[str],
        energies: Sequence[float] | np.ndarray,
        provenance: str | Sequence[str],
        band_gaps: Sequence[float] | np.ndarray | None = None,
    ) -> None:
        self.name, self.version, self.correction = name, version, correction
        energy = np.asarray(energies, dtype=float)
        if not len(formulas):
            raise BadData(f"The hull {name} is empty; it needs at least one compound.")
        if len(formulas) != len(energy):
            raise BadData(f"The hull {name} has {len(formulas)} formulas but {len(energy)} energies.")
        if not np.isfinite(energy).all():
            row = int(np.flatnonzero(~np.isfinite(energy))[0])
            raise BadData(f"The hull {name} has no finite energy for {formulas[row]}.")
        sources = [provenance] * len(energy) if isinstance(provenance, str) else list(provenance)
        gaps = np.full(len(energy), np.nan) if band_gaps is None else np.asarray(band_gaps, dtype=float)

        best: dict[tuple, int] = {}
        parsed = [parse_amounts(name, formula) for formula in formulas]
        for row, amounts in enumerate(parsed):
            key = composition_key(amounts)
            if len(key) == 1 and abs(energy[row]) > _ELEMENT_TOLERANCE:
                if energy[row] < 0:
                    raise BadData(
                        f"The hull {name} has {energy[row]:g} eV/atom for the element {formulas[row]}, not 0."
                    )
                continue  # a less stable form of an element; its ground state is added at 0 below
            if key not in best or energy[row] < energy[best[key]]:
                best[key] = row
        rows = list(best.values())
        present = {z for row in rows for z, _ in parsed[row]}
        self.elements = frozenset(Element.from_Z(z).symbol for z in present)
        missing = sorted(present - {key[0][0] for key in best if len(key) == 1})

        kept = [parsed[row] for row in rows] + [[(z, 1.0)] for z in missing]
        lengths = np.array([len(amounts) for amounts in kept], dtype=np.int64)
        flat = np.array([pair for amounts in kept for pair in amounts], dtype=float).reshape(-1, 2)
        self._start = np.concatenate([[0], np.cumsum(lengths)])
        self._z = flat[:, 0].astype(np.int64)
        self._amount = flat[:, 1]
        self._fraction = self._amount / np.repeat(np.add.reduceat(self._amount, self._start[:-1]), lengths)
        self._energy = np.concatenate([energy[rows], np.zeros(len(missing))])
        self._gap = np.concatenate([gaps[rows], np.full(len(missing), np.nan)])
        self._source = [sources[row] for row in rows] + ["element"] * len(missing)
        self._mask = _masks(self._z, self._start)
        self._number = dict(zip([*best, *[((z, 1.0),) for z in missing]], range(len(kept)), strict=True))
        self._phases: dict[int, Phase] = {}

    def __len__(self) -> int:
        return len(self._energy)

    def extended(self, phases: Sequence[Phase], version: str) -> "TableHull":
        """A copy with further phases of the elements that are already here; known compositions keep their energy."""
        rows = [(composition_key(amounts_of(phase.composition)), phase) for phase in phases]
        new = {key: phase for key, phase in rows if key not in self._number}
        z = np.array([number for key in new for number, _ in key], dtype=np.int64)
        # Exact fractions, not those of the key: rounding them would leave a trace of an element to be balanced.
        parts = [(phase.composition, Element.from_Z(n)) for key, phase in new.items() for n, _ in key]
        fraction = [composition.get_atomic_fraction(element) for composition, element in parts]
        amount = [composition[element] for composition, element in parts]
        ends = np.cumsum([len(key) for key in new], dtype=np.int64)
        grown = copy(self)
        grown.version = version
        if not new:
            return grown
        grown._start = np.concatenate([self._start, self._start[-1] + ends])
        grown._z = np.concatenate([self._z, z])
        grown._amount = np.concatenate([self._amount, amount])
        grown._fraction = np.concatenate([self._fraction, fraction])
        grown._energy = np.append(self._energy, [phase.energy for phase in new.values()])
        gaps = [np.nan if phase.band_gap is None else phase.band_gap for phase in new.values()]
        grown._gap = np.append(self._gap, gaps)
        grown._source = self._source + [phase.provenance for phase in new.values()]
        grown._mask = _masks(grown._z, grown._start)
        grown._number = self._number | dict(zip(new, range(len(self), len(self) + len(new)), strict=True))
        grown._phases = {}
        return grown

    def phases(self, elements: Iterable[str]) -> list[Phase]:
        return [self.phase(int(number)) for number in self._within(elements)]

    def compositions(self, containing: str | None = None) -> list[str]:
        numbers: Iterable[int] = range(len(self))
        if containing is not None:
            word, bit = divmod(ATOMIC_NUMBERS[containing], 64)
            numbers = np.flatnonzero((self._mask[word] >> np.uint64(bit)) & np.uint64(1))
        return [self.phase(int(number)).formula for number in numbers]

    def columns(self, elements: Iterable[str]) -> Columns:
        symbols = tuple(sorted(set(elements)))
        numbers = self._within(symbols)
        row_of = np.full(128, -1)
        row_of[[ATOMIC_NUMBERS[symbol] for symbol in symbols]] = range(len(symbols))
        counts = self._start[numbers + 1] - self._start[numbers]
        column = np.repeat(np.arange(len(numbers)), counts)
        entry = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + self._start[numbers][column]
        fractions = np.zeros((len(symbols), len(numbers)))
        fractions[row_of[self._z[entry]], column] = self._fraction[entry]
        return Columns(symbols, fractions, self._energy[numbers], numbers)

    def phase(self, number: int) -> Phase:
        if number not in self._phases:
            span = slice(self._start[number], self._start[number + 1])
            amounts = {Element.from_Z(int(z)): float(n) for z, n in zip(self._z[span], self._amount[span], strict=True)}
            composition, _ = Composition(amounts).get_reduced_composition_and_factor()
            gap = float(self._gap[number])
            self._phases[number] = Phase(
                formula=composition.reduced_formula,
                composition=composition,
                energy=float(self._energy[number]),
                provenance=self._source[number],
                band_gap=None if np.isnan(gap) else gap,
            )
        return self._phases[number]

    def energy_of(self, composition: Composition) -> float | None:
        number = self._number.get(composition_key(amounts_of(composition)))
        return None if number is None else float(self._energy[number])

    def _within(self, elements: Iterable[str]) -> np.ndarray:
        symbols = set(elements)
        unknown = sorted(symbols - self.elements)
        if unknown:
            raise UnsupportedElement(
                f"The hull {self.name} holds no phase with {', '.join(unknown)}; "
                "leave the element out or use another hull (--hull)."
            )
        inside = _masks(np.array(sorted(ATOMIC_NUMBERS[symbol] for symbol in symbols)), np.array([0, len(symbols)]))
        outside = [self._mask[word] & ~inside[word] for word in (0, 1)]
        return np.flatnonzero((outside[0] | outside[1]) == 0)


def _masks(z: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Bit masks of the elements of each phase: two 64-bit words, [2, n_phases]."""
    words = []
    for word in (0, 1):
        inside = (z // 64) == word
        bits = np.where(inside, np.uint64(1) << (z % 64).astype(np.uint64), np.uint64(0))
        words.append(np.bitwise_or.reduceat(bits, start[:-1]))
    return np.stack(words)
