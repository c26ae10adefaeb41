"""Which conductivity is meant: the total one, through grains and their boundaries, or that inside the grains."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

from ionscout.datasets.errors import BadData

ConductivityKind = Literal["total", "bulk"]
KIND = "total (grains and their boundaries) or bulk (inside the grains)."


@dataclass(frozen=True)
class BulkShift:
    """How far the conductivity inside the grains lies above the total one of the same sample.

    Models learn total conductivities: hardly any row says that it is a bulk one, and most that do are poor conductors.
    The shift comes from the few samples of which a paper reports both (`training.bulk`).

    Attributes:
        decades: median over publications. deviation: root mean square around it, decades.
        samples, publications: how many. family, share: the most frequent family and its part of the samples.
    """

    decades: float
    deviation: float
    samples: int
    publications: int
    family: str
    share: float

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> "BulkShift":
        """The shift in a model card.

        Raises:
            BadData: the model has none.
        """
        if card.get("bulk_shift") is None:
            raise BadData(
                f"The model {card.get('version', 'untrained')} saw too few samples measured both ways to tell bulk "
                "from total conductivity; ask for the total one."
            )
        return cls(**card["bulk_shift"])

    def half_width(self, coverage: float) -> float:
        """Decades either side that hold this share of samples, if they are normal."""
        return NormalDist().inv_cdf((1 + coverage) / 2) * self.deviation

    def note(self) -> str:
        """What a careful reader should know."""
        return (
            f"Bulk conductivity is taken as the total one plus {self.decades:.2f} ± {self.deviation:.2f} decades: only "
            f"{self.samples} training samples of {self.publications} publications were measured both ways, "
            f"{self.share:.0%} of them of the family {self.family}."
        )
