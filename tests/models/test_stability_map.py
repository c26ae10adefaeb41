"""Gibbs triangles of the reaction energy with a partner."""

import numpy as np
import pytest
from hulls_for_tests import toy_hull
from pymatgen.core import Composition

from ionscout.datasets.errors import InvalidInput, UnsupportedElement
from ionscout.datasets.hulls import load_hull
from ionscout.datasets.settings import settings
from ionscout.models.thermo.interface import interface
from ionscout.models.thermo.stability_map import _share, lithium_oxide_map, stability_map

needs_data = pytest.mark.skipif(settings().data_dir is None, reason="IONSCOUT_DATA_DIR is not set")
HULL = toy_hull()
PARTNER = Composition("LiCoO2")
CORNERS = Composition("Li"), Composition("P"), Composition("O2")


@pytest.fixture(scope="module")
def triangle():
    return stability_map(CORNERS, PARTNER, HULL, steps=8, threshold=0.2)


def test_the_grid_covers_the_triangle(triangle):
    assert triangle.fractions.shape == (45, 3)
    assert triangle.triangles.shape == (64, 3)
    np.testing.assert_allclose(triangle.fractions.sum(axis=1), 1)
    corners = triangle.fractions[triangle.triangles]  # [64, 3, 3]
    areas = np.abs(np.linalg.det(corners))
    np.testing.assert_allclose(areas, 1 / 64)  # equal parts of the whole


def test_energies_are_those_of_the_interface(triangle):
    for number in (0, 7, 20, 33, 44):
        li, p, o = triangle.fractions[number].tolist()
        composition = Composition({"Li": li, "P": p, "O": o})
        assert triangle.energies[number] == pytest.approx(interface(composition, PARTNER, HULL).reaction_energy)


def test_the_contour_lies_where_the_energy_crosses_the_threshold(triangle):
    assert len(triangle.contour)
    np.testing.assert_allclose(triangle.contour.sum(axis=2), 1)
    for point in triangle.contour.reshape(-1, 3)[::5]:
        distance = np.linalg.norm(triangle.fractions - point, axis=1)
        edge = triangle.energies[np.argsort(distance)[:4]]
        assert edge.min() <= -0.2 <= edge.max()


def test_the_stable_share_lies_between_those_of_looser_and_tighter_thresholds():
    shares = [
        stability_map(CORNERS, PARTNER, HULL, steps=6, threshold=threshold).stable_share
        for threshold in (0.01, 0.1, 0.3, 10.0)
    ]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] == 1


def test_a_map_without_reactions_is_all_stable_and_has_no_contour():
    found = stability_map(
        (Composition("Li2O"), Composition("LiCl"), Composition("Li2S")), Composition("Li"), HULL, steps=4
    )
    assert found.stable_share == 1
    assert found.contour.shape == (0, 2, 3)


def test_exchanging_corners_changes_nothing_but_their_order(triangle):
    turned = stability_map((CORNERS[2], CORNERS[0], CORNERS[1]), PARTNER, HULL, steps=8, threshold=0.2)
    assert turned.stable_share == pytest.approx(triangle.stable_share)
    assert turned.corners == (triangle.corners[2], triangle.corners[0], triangle.corners[1])
    np.testing.assert_allclose(sorted(turned.energies), sorted(triangle.energies), atol=1e-9)


@pytest.mark.parametrize(
    ("values", "share"),
    [((1, 1, 1), 1), ((-1, -1, -1), 0), ((1, -1, -1), 0.25), ((1, 1, -1), 0.75), ((3, -1, -1), 0.5625), ((0, 0, 0), 1)],
)
def test_shares_of_a_triangle_are_exact(values, share):
    assert _share(np.array(values, dtype=float)) == pytest.approx(share)


def test_progress_counts_every_composition():
    seen = []
    stability_map(CORNERS, PARTNER, HULL, steps=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 10) for number in range(1, 11)]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: stability_map(CORNERS, PARTNER, HULL, steps=1), InvalidInput),
        (lambda: stability_map(CORNERS, PARTNER, HULL, steps=1000), InvalidInput),
        (lambda: stability_map(CORNERS, PARTNER, HULL, threshold=0), InvalidInput),
        (lambda: stability_map((CORNERS[0], CORNERS[2], Composition("Li2O")), PARTNER, HULL), InvalidInput),
        (lambda: lithium_oxide_map("Ti", PARTNER, HULL), UnsupportedElement),
        (lambda: lithium_oxide_map("O", PARTNER, HULL), InvalidInput),
    ],
)
def test_bad_questions_are_answered_in_one_sentence(call, error):
    with pytest.raises(error, match=r"\.$"):
        call()


@pytest.mark.parametrize("name", ["learned", pytest.param("mp-2019", marks=needs_data)])
def test_garnet_tolerates_more_of_metal_oxides_than_of_nonmetal_oxides(name):
    hull, garnet = load_hull(name), Composition("Li7La3Zr2O12")
    wide, narrow = ["Ti", "Zr", "Ta", "Ga", "Mo", "W"], ["C", "P", "N"]
    share = {m: lithium_oxide_map(m, garnet, hull, steps=10).stable_share for m in [*wide, *narrow]}
    assert min(share[m] for m in wide) > max(share[m] for m in narrow), share
