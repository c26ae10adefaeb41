"""Observations as a source of measurements, so that fits and the fast update read them like any other table."""

import math
from collections.abc import Sequence

from ionscout.datasets.observations.records import Observation
from ionscout.datasets.observations.store import ObservationStore
from ionscout.datasets.sources.base import Measurement, Source, normal_doi
from ionscout.datasets.structure import parse_material

NAME = "campaign"


class Observations(Source):
    """The measured conductivities of one campaign, or of all campaigns of a store."""

    name = NAME

    def __init__(self, store: ObservationStore | None = None, campaign: str | None = None):
        self.store = store or ObservationStore()
        self.campaign = campaign

    def load(self) -> list[Measurement]:
        return measurements(self.observed())

    def observed(self) -> list[Observation]:
        """The records as they are stored, failed syntheses and times of receipt included, by campaign."""
        names = [self.campaign] if self.campaign is not None else [c.name for c in self.store.campaigns()]
        return [observation for name in names for observation in self.store.observations(name)]

    def card(self) -> str:
        return (
            f"# Own observations\n\n- Origin: {self.store}, {self.campaign or 'all campaigns'}.\n"
            "- Licence: the user's own.\n- Failed syntheses stay in the store: nothing to learn a conductivity from.\n"
        )


def measurements(observations: Sequence[Observation]) -> list[Measurement]:
    """Those that have a conductivity; failed syntheses have none."""
    return [_measurement(observation) for observation in observations if observation.conductivity is not None]


def _measurement(found: Observation) -> Measurement:
    assert found.conductivity is not None
    structure = None if found.cif is None else parse_material(found.cif, "cif").structure
    published = doi_of(found.source)
    return Measurement(
        id=f"{found.campaign}:{found.id}",
        formula=found.formula,
        composition=found.composition,
        structure=structure,
        log10_conductivity=math.log10(found.conductivity),
        censored=found.censored,
        temperature_K=found.temperature_K,
        doi=published,
        source=NAME,
        kind=found.kind,
        # one laboratory's samples share what is special about it, so grouped splits keep them together
        reference="" if published else f"{NAME}:{found.campaign}:{found.source or found.measured_by}",
    )


def doi_of(source: str) -> str:
    """The DOI that a source names, empty if it names none."""
    found = normal_doi(source.removeprefix("doi:").removeprefix("DOI:"))
    return found if found.startswith("10.") and "/" in found else ""
