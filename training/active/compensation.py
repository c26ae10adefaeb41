"""How the charge of dopants is balanced: by lithium, by a second dopant, or by another anion; and how that reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ionscout.training.active.host import LITHIUM, Host
from ionscout.training.active.ions import Ion

Kind = Literal[
    "isovalent", "lithium vacancies", "lithium interstitials", "co-doping", "anion substitution", "halide enrichment",
    "anion mixing",
]  # fmt: skip
HALOGENS = ("F", "Cl", "Br", "I")
CHALCOGENS = ("O", "S", "Se", "Te")
NEUTRAL = 1e-6  # charge per formula unit; smaller is rounding


@dataclass(frozen=True)
class Substitution:
    """One ion in the place of another.

    Attributes:
        ion, host_ion: what replaces what.
        orbits: which of the host ion's orbits, the first one first.
        amount: atoms per formula unit.
    """

    ion: Ion
    host_ion: Ion
    orbits: tuple[int, ...]
    amount: float

    @property
    def charge(self) -> float:
        """Charge that is added per formula unit."""
        return self.amount * (self.ion.charge - self.host_ion.charge)

    def __str__(self) -> str:
        return f"{self.ion} on {self.host_ion}"


def lithium_change(substitutions: Sequence[Substitution]) -> float:
    """Lithium ions per formula unit that must be added (negative: taken out) to keep the formula neutral.

    Beside those that a dopant on a lithium site replaces.
    """
    change = -sum(s.charge for s in substitutions)
    return 0.0 if abs(change) < NEUTRAL else change


def lithium_left(substitutions: Sequence[Substitution], host: Host) -> float:
    """Lithium per formula unit of the doped material."""
    replaced = sum(s.amount for s in substitutions if s.host_ion.symbol == LITHIUM)
    return host.lithium - replaced + lithium_change(substitutions)


def fits(substitutions: Sequence[Substitution], host: Host, most_vacancies: float) -> bool:
    """Whether lithium can balance the charge: enough of it, and enough free sites.

    Args:
        most_vacancies: share of the host's lithium that may be missing.
    """
    change = lithium_change(substitutions)
    left = lithium_left(substitutions, host)
    on_lithium = sum(s.amount for s in substitutions if s.host_ion.symbol == LITHIUM)
    if change > 0:
        return left + on_lithium <= host.room.capacity + 1e-9
    return -change <= most_vacancies * host.lithium + 1e-9 and left > 0


def kind_of(substitutions: Sequence[Substitution]) -> Kind:
    """The mechanism in one word or two."""
    change = lithium_change(substitutions)
    if len(substitutions) > 1:
        return "anion substitution" if len({s.ion.is_anion for s in substitutions}) > 1 else "co-doping"
    only = substitutions[0]
    if only.ion.is_anion:
        if not change:
            return "anion mixing"
        if change < 0 and only.ion.symbol in HALOGENS and only.host_ion.symbol in CHALCOGENS:
            return "halide enrichment"
    if not change:
        return "isovalent"
    return "lithium interstitials" if change > 0 else "lithium vacancies"


def mechanism(substitutions: Sequence[Substitution]) -> str:
    """In words, e.g. `Ga³⁺ on Li⁺, 2 lithium vacancies` (of one dopant ion: per ion; of two: per formula unit)."""
    names = " and ".join(str(s) for s in substitutions)
    change = lithium_change(substitutions)
    if not change:
        return f"{names}, no change of lithium" if len(substitutions) > 1 else f"{names}, same charge"
    what = "lithium interstitial" if change > 0 else "lithium vacancy"
    many = "lithium interstitials" if change > 0 else "lithium vacancies"
    if len(substitutions) == 1:
        number = abs(change) / substitutions[0].amount
        return f"{names}, {_number(number)} {what if abs(number - 1) < 1e-6 else many}"
    return f"{names}, {_number(abs(change))} {many} per formula unit"


def _number(value: float) -> str:
    return f"{round(value, 3):g}"
