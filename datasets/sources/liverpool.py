"""Liverpool Ionics Dataset: conductivities at the measured temperature (Hargreaves et al., npj Comput Mater 2023)."""

from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.cleaning import Tally
from ionscout.datasets.sources.tables import ZERO_CELSIUS, Cells, Table, read_conductivity, read_formula, read_number

AMBIGUOUS_CELSIUS = (295.0, 305.0)  # room temperature in K; the round 300 °C is common and consistent

# One name a family over all sources; `Other` says nothing.
_FAMILIES = {
    "glass-ceramic": "glass-ceramic",
    "other": "",
    "nasicon": "NASICON",
    "lisicon": "LISICON",
    "thio-lisicon": "thio-LISICON",
}


class Liverpool(Table):
    """Rows of `LiIonDatabase.csv`; its temperatures are °C."""

    name = "liverpool"
    location = "liverpool/LiIonDatabase.csv"
    columns = ("ID", "composition", "source", "temperature", "target", "log_target", "family")

    def measurement(self, number: int, row: Cells, tally: Tally) -> Measurement | None:
        formula = read_formula(row["composition"], tally)
        celsius = read_number(row["temperature"], tally)
        if formula is None or celsius is None:
            return None
        if AMBIGUOUS_CELSIUS[0] <= celsius <= AMBIGUOUS_CELSIUS[1] and celsius != 300.0:
            tally.note("kelvin or celsius", f"{formula.text} at {celsius:g}")
            return None
        value = read_conductivity(row["target"], celsius + ZERO_CELSIUS, formula.composition, tally)
        logarithm = read_number(row["log_target"], tally)
        if value is None or logarithm is None:
            return None
        if abs(value[0] - logarithm) > 0.01 and not value[1]:
            tally.note("columns disagree", f"{row['target']} and log {row['log_target']}")
            return None
        family = row["family"].strip()
        doi = row["source"].strip().lower()
        return Measurement(
            id=row["ID"],
            formula=formula.text,
            composition=formula.composition,
            structure=None,
            log10_conductivity=value[0],
            censored=value[1],
            temperature_K=celsius + ZERO_CELSIUS,
            family=_FAMILIES.get(family.lower(), family.lower()),
            doi=doi if doi.startswith("10.") else "",
            reference="" if doi.startswith("10.") else doi,
            source=self.name,
        )

    about = """# Liverpool Ionics Dataset

- Origin: Hargreaves et al., *A database of experimentally measured lithium solid electrolyte conductivities evaluated
  with machine learning*, npj Comput Mater 9, 9 (2023), doi 10.1038/s41524-022-00951-z.
- Licence: CC BY 4.0. Not shipped with ionscout; read from `IONSCOUT_DATA_DIR/liverpool`.
- Content: composition, temperature (°C), conductivity, family, DOI; no structures. Whether a conductivity is the bulk
  or the total one is not said.
- Known faults: a few temperatures near 300 are probably K; some conductivities are a power of ten away from their
  paper; spaces inside formulas; formulas that miss the index of a group; glasses are listed with crystals.
"""
