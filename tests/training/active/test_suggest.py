"""Batches: who is chosen, why, and what must not change the choice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from ionscout.datasets.errors import OutOfRange, UnknownName
from ionscout.training.active.diversity import facets
from ionscout.training.active.hypervolume import Front, pareto_front, reference_of, shortlist
from ionscout.training.active.posterior import Posterior
from ionscout.training.active.suggest import Known, suggest

DOPANTS = ("Al", "Ga", "Ta", "Nb", "W", "Fe")
CANDIDATES = [Composition(f"Li{7 - 3 * x:.2f}{d}{x:.2f}La3Zr2O12") for d in DOPANTS for x in (0.1, 0.2, 0.3)]
FAMILIES = [d for d in DOPANTS for _ in range(3)]


def belief(seed: int = 0, members: int = 12) -> Posterior:
    rng = np.random.default_rng(seed)
    return Posterior.from_samples(rng.normal(-5, 1, len(CANDIDATES)) + rng.normal(size=(members, len(CANDIDATES))))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), method=st.sampled_from(["ucb", "ei"]), dial=st.floats(0, 1))
def test_order_of_the_candidates_does_not_matter(seed, method, dial):
    order = np.random.default_rng(seed).permutation(len(CANDIDATES))
    posterior = belief(seed)
    straight = suggest(CANDIDATES, posterior, method=method, dial=dial, families=FAMILIES)
    mixed = suggest(
        [CANDIDATES[i] for i in order],
        posterior.rows(order),
        method=method,
        dial=dial,
        families=[FAMILIES[i] for i in order],
    )
    assert [s.index for s in straight] == [int(order[s.index]) for s in mixed]


@pytest.mark.parametrize("method", ["ucb", "ei", "thompson", "nehvi"])
def test_a_seed_decides_everything_and_no_candidate_comes_twice(method):
    posterior = [belief(1), belief(2)] if method == "nehvi" else belief(1)
    batches = [suggest(CANDIDATES, posterior, 5, method=method, seed=3) for _ in range(2)]
    assert batches[0] == batches[1]
    assert len({s.index for s in batches[0]}) == 5


def test_thompson_batches_differ_between_seeds():
    assert len({tuple(s.index for s in suggest(CANDIDATES, belief(), method="thompson", seed=k)) for k in range(5)}) > 1


def test_parts_of_a_choice_add_up_to_a_value_that_nobody_beats():
    posterior = belief(4)
    chosen = suggest(CANDIDATES, posterior, 1, dial=0.5)[0]
    bound = posterior.mean + posterior.deviation
    assert chosen.index == bound.argmax()
    assert chosen.exploitation + chosen.exploration + chosen.diversity == pytest.approx(bound.max())
    assert chosen.lower < chosen.predicted < chosen.upper


def test_diversity_spreads_a_batch_that_would_be_of_one_family():
    mean = np.array([-3.0 if f == "Ta" else -3.5 for f in FAMILIES])
    posterior = Posterior.independent(mean + 1e-3 * np.arange(len(mean)), np.full(len(mean), 0.3))
    alike = suggest(CANDIDATES, posterior, 5, diversity=0.0, families=FAMILIES)
    spread = suggest(CANDIDATES, posterior, 5, diversity=3.0, families=FAMILIES)
    assert [FAMILIES[s.index] for s in alike[:3]] == ["Ta"] * 3
    assert len({FAMILIES[s.index] for s in spread}) == 5
    assert spread[0].index == alike[0].index  # the first has nobody to be alike
    assert all(s.diversity == 0 for s in alike)
    assert all(s.diversity <= 0 for s in spread)


@given(seed=st.integers(0, 500))
def test_likeness_is_symmetric_and_whole_only_for_the_candidate_itself(seed):
    rng = np.random.default_rng(seed)
    picked = [CANDIDATES[i] for i in rng.integers(0, len(CANDIDATES), 6)]
    like = facets(picked, families=rng.choice(["a", "b", ""], 6).tolist(), sites=rng.choice(["24c", "16a"], 6).tolist())
    table = np.array([like.similarity(i) for i in range(6)])
    np.testing.assert_allclose(table, table.T)
    np.testing.assert_array_equal(np.diag(table), 1.0)
    assert ((table >= 0) & (table <= 1)).all()


def test_elements_that_all_candidates_share_say_nothing_about_likeness():
    like = facets(CANDIDATES)
    assert like.elements[0] == {"Al"}
    assert like.similarity(0)[3] == 0.0


def test_measured_and_excluded_candidates_are_not_suggested_again():
    taken = [0, 5, 7]
    left = suggest(CANDIDATES, belief(), len(CANDIDATES), excluded=taken[:2], measured=taken[2:])
    assert sorted(s.index for s in left) == [i for i in range(len(CANDIDATES)) if i not in taken]


def test_the_nearest_known_material_is_named_with_its_value():
    known = [Known(Composition("Li7La3Zr2O12"), -6.3, "LLZO"), Known(Composition("Li3PS4"), -3.8)]
    chosen = suggest(CANDIDATES, belief(), 1, known=known)[0]
    assert (chosen.nearest_known, chosen.nearest_value) == ("LLZO", -6.3)
    assert 0 < chosen.nearest_distance < 0.05
    assert "LLZO" in chosen.reason


def test_a_pending_candidate_makes_its_twin_less_interesting():
    covariance = np.array([[1.0, 0.999, 0.0], [0.999, 1.0, 0.0], [0.0, 0.0, 0.5]])
    posterior = Posterior.gaussian(np.array([0.0, 0.0, 0.0]), covariance)
    batch = suggest(CANDIDATES[:3], posterior, 2, dial=0.8, diversity=0.0, noise=0.01)
    assert {batch[0].index, batch[1].index} != {0, 1}


def test_hypervolume_picks_the_candidate_that_dominates_all_others():
    first, second = np.full(len(CANDIDATES), -5.0), np.full(len(CANDIDATES), 1.0)
    first[4], second[4] = -3.0, 3.0
    narrow = np.full(len(CANDIDATES), 0.1)
    objectives = [Posterior.independent(first, narrow), Posterior.independent(second, narrow)]
    batch = suggest(CANDIDATES, objectives, 2, method="nehvi", measured=[0, 1])
    assert batch[0].index == 4
    assert batch[0].exploitation == pytest.approx(2.5 * 2.1, rel=0.15)  # to a reference a tenth below -5 and 1
    assert batch[0].objectives == (-3.0, 3.0)


def test_hypervolume_of_a_batch_does_not_count_the_same_corner_twice():
    first, second = np.array([0.0, 2.0, 2.0, 0.5, 0.2]), np.array([0.0, 0.5, 0.5, 2.0, 0.2])
    objectives = [Posterior.independent(v, np.full(5, 0.01)) for v in (first, second)]
    batch = suggest(CANDIDATES[:5], objectives, 2, method="nehvi", measured=[0], diversity=0.0)
    assert {s.index for s in batch} in ({1, 3}, {2, 3})


def test_the_front_and_its_reference_point():
    values = np.array([[0.0, 3.0], [1.0, 1.0], [2.0, 2.0], [3.0, 0.0], [2.0, 2.0]])
    assert pareto_front(values).tolist() == [True, False, True, True, True]
    np.testing.assert_allclose(reference_of(values), [-0.3, -0.3])


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=30))
def test_the_front_is_what_no_row_dominates(rows):
    values = np.array(rows, dtype=float)
    dominated = [any((other >= row).all() and (other > row).any() for other in values) for row in values]
    np.testing.assert_array_equal(pareto_front(values), ~np.array(dominated))


def test_a_shortlist_keeps_the_front():
    rng = np.random.default_rng(8)
    objectives = [Posterior.independent(rng.normal(size=300), np.full(300, 0.1)) for _ in range(2)]
    kept = shortlist(objectives, np.arange(300), 0.0, size=40)
    front = np.flatnonzero(pareto_front(np.stack([p.mean for p in objectives], axis=1)))
    assert set(front) <= set(kept)
    assert len(kept) == 40


@pytest.mark.parametrize(
    "wrong",
    [
        {"compositions": []},
        {"posterior": belief().rows(np.arange(4))},
        {"count": 0},
        {"dial": -0.1},
        {"diversity": float("nan")},
        {"families": ["a"]},
        {"noise": 0.0},
        {"method": "nehvi"},
        {"posterior": [belief(), belief()]},
    ],
)
def test_bad_requests_say_what_to_do(wrong):
    request = {"compositions": CANDIDATES, "posterior": belief()} | wrong
    with pytest.raises(OutOfRange, match=r"[.]$"):
        suggest(request.pop("compositions"), request.pop("posterior"), **request)


def test_unknown_methods_and_reference_points_of_the_wrong_length_are_refused():
    with pytest.raises(UnknownName, match="thompson"):
        suggest(CANDIDATES, belief(), method="magic")
    with pytest.raises(OutOfRange, match="reference"):
        Front([belief(), belief()], 0.5, np.array([0]), reference=np.zeros(3))
    assert suggest(CANDIDATES, belief(), 3, excluded=range(len(CANDIDATES))) == []
