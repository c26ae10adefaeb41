"""Rules by which damaged tables of measurements are cleaned, each with what it does and how often it did it."""

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Literal

from ionscout.datasets.errors import BadData

FAR_FROM_NEUTRAL = 0.1  # of the anion charge; LiPON and refined garnets reach 0.09, a torn formula 0.15 to 10
HIGHEST = 1.0  # S/cm; molten salts. The best solid lithium conductor has 0.03 at room temperature.
HIGHEST_NEAR_ROOM = 0.035  # S/cm at or below 313 K, just above the best published (0.032)
# S/cm at or below 313 K, twice that to 333 K (0.3 eV); oxides and phosphates end at 0.007. More is σT read as σ.
HIGHEST_OXIDE = 0.01
LOWEST = 1e-15  # S/cm; less is extrapolated from high temperature, no cell measures it
EXAMPLES = 5  # of each rule kept in the report

Action = Literal["repaired", "dropped", "flagged"]

RULES: dict[str, tuple[Action, str]] = {
    "no value": ("dropped", "neither conductivity nor activation energy: the torn-off line of a formula above it"),
    "formula over two lines": ("repaired", "the formula's end stands alone on the next line; joined"),
    "formula characters": ("repaired", "spaces, look-alike characters, brackets in brackets, a phase name"),
    "missing decimal point": ("repaired", "an amount such as 05, read as 0.5 because that balances the charge"),
    "zero read for O": ("repaired", "P04 read as PO4 because that balances the charge"),
    "x notation": ("repaired", "a formula in x with its value beside it; written out"),
    "unreadable formula": ("dropped", "does not parse as elements and positive amounts"),
    "unsupported element": ("dropped", "a radioactive or unknown element"),
    "no lithium": ("dropped", "no lithium in the formula"),
    "charge imbalance": ("dropped", f"net charge of at least {FAR_FROM_NEUTRAL:.0%} of the anion charge in any state"),
    "number characters": ("repaired", "Unicode minus, spaces or a decimal comma inside a number"),
    "unreadable number": ("dropped", "a conductivity, temperature or energy that is no number"),
    "bound without its minus": ("repaired", "an upper bound of 1 S/cm or more; its exponent lost the minus"),
    "upper bound": ("flagged", "given as '<'; kept as censored"),
    "beyond measurement": ("repaired", f"below {LOWEST:g} S/cm, so extrapolated; kept as a bound at that value"),
    "beyond any solid": ("dropped", f"above {HIGHEST:g} S/cm, or above {HIGHEST_NEAR_ROOM:g} at 313 K or less"),
    "beyond any oxide": (
        "dropped",
        f"an oxide above {HIGHEST_OXIDE:g} S/cm at 313 K or less, twice that to 333 K: σT for σ",
    ),
    "columns disagree": ("dropped", "two columns give the same quantity differently; nothing tells which is right"),
    "celsius in kelvin": ("repaired", "a temperature in °C inside a column in K; 273.15 added"),
    "kelvin or celsius": ("dropped", "295 to 305 in a °C column, 300 excepted: probably K, not certainly"),
    "power of ten": ("dropped", "the digits of the original table with another power of ten"),
    "family label": ("repaired", "a family label that the formula contradicts; this table's labels are not used"),
    "implausible energy": ("dropped", "an activation energy outside 0.02 to 2.5 eV; the rest of the row is kept"),
    "name given twice": ("repaired", "the identifier of an earlier row; the line number was added to it"),
    "repeat": ("dropped", "same composition, temperature within 5 K and value within 2 % as an earlier row"),
    "contradictory": (
        "flagged",
        "another row of this composition and temperature is 2 decades or more away; both kept",
    ),
    "no publication": ("flagged", "no DOI; stands alone in grouped splits unless it has a reference number"),
}


@dataclass(frozen=True)
class RuleCount:
    """How often one rule applied, with the first cells it met."""

    rule: str
    action: Action
    meaning: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class CleaningReport:
    """What cleaning did to one table. A row may meet several rules; only `dropped` rules remove it."""

    source: str
    rows_read: int
    rows_kept: int
    rules: tuple[RuleCount, ...]

    def count(self, rule: str) -> int:
        """Rows that met a rule; 0 when none did."""
        return next((r.count for r in self.rules if r.rule == rule), 0)

    def counts_only(self) -> "CleaningReport":
        """Without examples: for pages that are published, as the cells belong to their table."""
        return replace(self, rules=tuple(replace(rule, examples=()) for rule in self.rules))

    def markdown(self) -> str:
        """A table of the rules met, for cards and benchmark pages."""
        lines = [
            f"{self.rows_read} rows read, {self.rows_kept} kept.",
            "",
            "| rule | action | rows | meaning |",
            "|---|---|---:|---|",
        ]
        for r in self.rules:
            examples = ", ".join(f"`{e}`".replace("|", "/") for e in r.examples[:3])
            lines.append(f"| {r.rule} | {r.action} | {r.count} | {r.meaning}{f': {examples}' if examples else ''} |")
        return "\n".join(lines) + "\n"


class Tally:
    """Collects the rules met while a table is read."""

    def __init__(self) -> None:
        self._met: dict[str, list[str]] = defaultdict(list)

    def note(self, rule: str, example: object) -> None:
        """Count one row under a rule of `RULES`."""
        if rule not in RULES:
            raise KeyError(rule)
        self._met[rule].append(str(example))

    def report(self, source: str, rows_read: int, rows_kept: int) -> CleaningReport:
        """The counts, in the order of `RULES`."""
        counts = tuple(
            RuleCount(rule, action, meaning, len(self._met[rule]), tuple(dict.fromkeys(self._met[rule]))[:EXAMPLES])
            for rule, (action, meaning) in RULES.items()
            if rule in self._met
        )
        return CleaningReport(source, rows_read, rows_kept, counts)


@dataclass(frozen=True)
class CleanNumber:
    """A number cell: its value, whether it is an upper bound, and whether characters had to be repaired."""

    value: float
    bound: bool
    repaired: bool


def clean_number(cell: str) -> CleanNumber:
    """Read a number cell such as `1.2E−4`, `<1E-10`, `1,5e-3` or `2.3 × 10-5`.

    Raises:
        BadData: no number is left.
    """
    text = cell.strip()
    plain = re.sub(r"\s+", "", text).replace("−", "-").replace("–", "-")
    plain = re.sub(r"[×x*]10\^?(?=[-+\d])", "e", plain)
    plain = re.sub(r"(?<=\d),(?=\d)", ".", plain)
    try:
        value = float(plain.lstrip("<"))
    except ValueError:
        raise BadData(f"'{cell}' is not a number; write one such as 1.2e-4 or <1E-10.") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise BadData(f"'{cell}' is not a finite number; write one such as 1.2e-4 or <1E-10.")
    return CleanNumber(value, plain.startswith("<"), plain != text)
