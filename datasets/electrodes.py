"""The catalogue of electrodes and coatings: name, formula, working voltage, charged state; see electrodes.md."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import yaml
from pymatgen.core import Composition, Element

from ionscout.datasets.composition import formula_text, parse_formula
from ionscout.datasets.errors import BadData, BadFormula, UnknownName

CATALOGUE = Path(__file__).with_name("electrodes.yaml")
ROLES = ("anode", "cathode", "coating")
# Atomic fractions may differ by this much, so that LiNi0.33Mn0.33Co0.33O2 is found as the compound of thirds; NMC
# grades differ by more than 0.02.
SAME = 0.003


@dataclass(frozen=True)
class Electrode:
    """One electrode or coating.

    Attributes:
        name: as papers print it; together with the role it is unique.
        formula: as built into a cell (cathodes lithiated).
        role: "anode", "cathode" or "coating".
        voltage_low, voltage_high: range in which it works, V vs Li/Li⁺; for a coating, that of its electrode.
        charged_formula: in the charged cell: half of the lithium for a cathode, lithiated for an anode; the formula
            itself where charging changes nothing.
        aliases: other names.
        source: reference for the range or the use.
    """

    name: str
    formula: str
    role: str
    voltage_low: float
    voltage_high: float
    charged_formula: str
    source: str
    aliases: tuple[str, ...] = field(default=())

    @property
    def composition(self) -> Composition:
        return parse_formula(self.formula)

    @property
    def charged(self) -> Composition:
        """Composition in the charged cell."""
        return parse_formula(self.charged_formula)


@lru_cache(maxsize=2)
def load_electrodes(path: Path = CATALOGUE) -> tuple[Electrode, ...]:
    """Read the catalogue, in the order of its file: anodes, cathodes, coatings.

    Raises:
        BadData: the file is missing, or an entry lacks something or is there twice.
    """
    try:
        entries = tuple(_entry(row) for row in yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, BadFormula) as error:
        raise BadData(
            f"The electrode catalogue {path.name} cannot be read ({error}); install ionscout again."
        ) from None
    keys = [(entry.name, entry.role) for entry in entries]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise BadData(f"The electrode catalogue {path.name} lists the {twice[0][1]} {twice[0][0]} twice.")
    return entries


def electrodes(role: str | None = None) -> tuple[Electrode, ...]:
    """All entries, or those of one role.

    Raises:
        UnknownName: the role.
    """
    if role is not None and role not in ROLES:
        raise UnknownName(f"There is no role '{role}'; choose one of {', '.join(ROLES)}.")
    return tuple(entry for entry in load_electrodes() if role in (None, entry.role))


def find_electrode(text: str, role: str | None = None) -> Electrode:
    """Look up by name, alias or formula; of several roles the first of anode, cathode, coating.

    Raises:
        UnknownName: the message lists the names that exist.
    """
    entries = electrodes(role)
    found = _match(text.strip(), entries)
    if found is None:
        kind = role or "electrode or coating"
        raise UnknownName(
            f"There is no {kind} '{text.strip()}' in the catalogue; it holds "
            f"{', '.join(dict.fromkeys(entry.name for entry in entries))}."
        )
    return found


def material(text: str) -> Composition:
    """The composition that a user means: a name of the catalogue, else any formula.

    Raises:
        BadFormula: neither.
    """
    found = _match(text.strip(), load_electrodes(), by_formula=False)
    return parse_formula(text) if found is None else found.composition


def half_charged(text: str) -> Composition:
    """A cathode charged half-way, by name or formula: the catalogue's charged state, else half of the lithium.

    A material without lithium stays as it is.

    Raises:
        BadFormula: neither a name nor a formula.
    """
    found = _match(text.strip(), electrodes("cathode"))
    return found.charged if found is not None else _half_of_lithium(material(text))


def _match(text: str, entries: tuple[Electrode, ...], by_formula: bool = True) -> Electrode | None:
    """An exact name first, then a formula; another case of letters counts only where it is no formula (In, IN)."""
    for entry in entries:
        if text == entry.name or text in entry.aliases:
            return entry
    try:
        composition = parse_formula(text)
    except BadFormula:
        plain = text.casefold()
        names = ((entry, name) for entry in entries for name in (entry.name, *entry.aliases))
        return next((entry for entry, name in names if name.casefold() == plain), None)
    if not by_formula:
        return None
    return next((entry for entry in entries if _same(composition, entry.composition)), None)


def _same(a: Composition, b: Composition) -> bool:
    elements = set(a.elements) | set(b.elements)
    return all(abs(a.get_atomic_fraction(el) - b.get_atomic_fraction(el)) <= SAME for el in elements)


def _half_of_lithium(composition: Composition) -> Composition:
    lithium = Element("Li")
    return Composition({el: n / 2 if el == lithium else n for el, n in composition.items()})


def _entry(row: dict) -> Electrode:
    low, high = (float(value) for value in row["voltage"])
    composition = parse_formula(row["formula"])
    if row["role"] not in ROLES:
        raise ValueError(f"{row['name']} has the role {row['role']}")
    if low > high:
        raise ValueError(f"the voltages of {row['name']} are the wrong way round")
    charged = row.get("charged_formula")
    if charged is None:
        charged = formula_text(_half_of_lithium(composition)) if row["role"] == "cathode" else row["formula"]
    parse_formula(charged)
    return Electrode(
        name=row["name"],
        formula=row["formula"],
        role=row["role"],
        voltage_low=low,
        voltage_high=high,
        charged_formula=charged,
        source=row["source"],
        aliases=tuple(row.get("aliases", ())),
    )
