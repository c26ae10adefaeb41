"""Abundance, price class and toxicity of the elements: what decides whether a good dopant is also a sensible one."""

import csv
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast, get_args

from ionscout.datasets.errors import BadData, UnsupportedElement

TABLE = Path(__file__).with_name("element_facts.csv")
Toxicity = Literal["low", "moderate", "high"]


@dataclass(frozen=True)
class ElementFacts:
    """One element; sources in `element_facts.md`.

    Attributes:
        abundance: in the continental crust, mg/kg.
        price: US dollars per kg, good for its order of magnitude.
        toxicity: of its usual compounds: low, moderate or high.
    """

    symbol: str
    abundance: float
    price: float
    toxicity: Toxicity

    @property
    def price_class(self) -> int:
        """1 below 10 dollars per kg, then one class for each decade, 5 from 10,000."""
        return min(max(math.floor(math.log10(self.price)) + 1, 1), 5)


def element_facts(symbol: str) -> ElementFacts:
    """Facts about one element.

    Raises:
        UnsupportedElement: a radioactive element or a noble gas, which no electrolyte holds.
        BadData: the table is damaged.
    """
    found = _table().get(symbol)
    if found is None:
        raise UnsupportedElement(f"Nothing is known about the price and hazards of {symbol}; leave it out.")
    return found


@lru_cache(maxsize=1)
def _table() -> dict[str, ElementFacts]:
    try:
        with TABLE.open(newline="") as file:
            return {row["symbol"]: _facts(row) for row in csv.DictReader(file)}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BadData(f"{TABLE.name} cannot be read ({error}); install ionscout again.") from None


def _facts(row: dict[str, str]) -> ElementFacts:
    if row["toxicity"] not in get_args(Toxicity):
        raise ValueError(f"{row['symbol']} has the toxicity {row['toxicity']}")
    toxicity = cast(Toxicity, row["toxicity"])
    return ElementFacts(row["symbol"], float(row["crust_mg_kg"]), float(row["price_usd_kg"]), toxicity)
