"""How far bulk lies above total conductivity: papers count once, and few of them count for nothing."""

import pytest
from pymatgen.core import Composition

from ionscout.datasets.sources.base import Measurement
from ionscout.training.bulk import bulk_shift


def sample(doi: str, total: float, bulk: float | None, family: str = "garnet") -> Measurement:
    return Measurement(
        f"{doi} {total} {bulk}", "Li2O", Composition("Li2O"), None, total, doi=doi, family=family, log10_bulk=bulk
    )


def test_a_paper_of_many_samples_counts_once():
    papers = [sample("10.1/a", -4.0, -3.0), sample("10.1/b", -4.0, -3.8, "NASICON")]
    many = [sample("10.1/c", -5.0 - k, -4.9 - k) for k in range(8)]
    found = bulk_shift([*papers, *many, sample("10.1/d", -6.0, None)])
    assert found is not None
    assert found.decades == pytest.approx(0.2)  # of 0.1, 0.2 and 1.0
    assert found.deviation == pytest.approx(((0.1**2 + 0.8**2) / 3) ** 0.5)
    assert (found.samples, found.publications, found.family, found.share) == (10, 3, "garnet", 0.9)


def test_two_papers_are_too_few():
    assert bulk_shift([sample("10.1/a", -4.0, -3.0), sample("10.1/b", -4.0, -3.8)]) is None
    assert bulk_shift([]) is None
