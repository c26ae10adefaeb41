"""Carrier prior, ranking, Pareto front, constraints; the whole survey with a stand-in model."""

import numpy as np
import pytest
from hosts import crystal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ionscout.datasets.element_facts import element_facts
from ionscout.datasets.errors import InvalidInput, UnknownName, UnsupportedElement
from ionscout.datasets.hulls import load_hull
from ionscout.models.conductivity.predictor import ConductivityPrediction
from ionscout.training.active.candidates import CandidateOptions, enumerate_candidates
from ionscout.training.active.carriers import carrier_prior, host_prior, is_crowded
from ionscout.training.active.ions import usable_elements
from ionscout.training.active.ranking import diverse, pareto_front, rank, read_constraints, read_weights
from ionscout.training.active.scores import score_all, survey
from ionscout.training.active.stability import mixing_entropy, synthesisability

HULL = load_hull("learned")


class Level:
    """A model that gives every material the same conductivity."""

    def predict(self, materials, temperature_K=298.15):
        return [
            ConductivityPrediction(1e-4, 1e-5, 1e-3, 0.9, temperature_K, 0.3, 0.1, True, "structure", "level", "1")
            for _ in materials
        ]


@pytest.fixture(scope="module")
def garnet():
    options = CandidateOptions(elements=("Al", "Ga", "Ta", "Hf", "Ca", "B", "Nb"), pair_amounts=(0.1, 0.3))
    return survey(crystal("llzo_cubic"), Level(), HULL, options=options, preselected=40)


def test_vacancies_keep_a_crowded_garnet_from_ordering():
    host = crystal("llzo_cubic")
    assert is_crowded(host)
    assert not is_crowded(crystal("li6ps5cl"))
    priors = {
        c.amounts[0]: carrier_prior(c).decades
        for c in enumerate_candidates(host, CandidateOptions(elements=("Ta",), co_doping=False))
        if c.sites == ("Zr",)
    }
    best = max(priors, key=priors.get)
    assert 0.4 <= best <= 0.6  # Li6.4 to Li6.6
    assert host_prior(host).decades < -2 < priors[best]


def test_without_a_model_the_known_dopants_lead_and_isovalent_or_oversized_ones_do_not(garnet):
    gain = {e: x - garnet.host_expected for e, x in garnet.best.items()}
    assert min(gain[e] for e in ("Al", "Ga", "Ta", "Nb")) > 1.0
    assert max(gain[e] for e in ("Hf", "Ca", "B")) < 0.6


def test_every_scored_candidate_carries_all_scores(garnet):
    assert len(garnet.scores) == 40
    for score in garnet.scores:
        s = score.stability
        assert s is not None
        assert 0 <= s.synthesisability <= 1
        assert s.lithium_energy <= 0
        assert s.water_energy <= 0
        assert s.lithium_class in {"stable", "SEI", "MCI"}
        assert s.reduction_limit < s.oxidation_limit
        assert 1 <= score.price_class <= 5


def test_the_list_is_diverse_and_sorted(garnet):
    shown = diverse(rank(garnet.scores), 12)
    assert [r.total for r in shown] == sorted((r.total for r in shown), reverse=True)
    assert len({r.score.candidate.idea for r in shown}) == len(shown)
    assert {"Ta", "Nb", "Ga", "Al"} <= {d for r in shown for d in r.score.candidate.dopants}


def test_weights_and_constraints_do_what_they_say(garnet):
    cheap = rank(garnet.scores, read_weights(["price"]))
    assert cheap[0].score.price_class == min(s.price_class for s in garnet.scores)
    limit = sorted(s.conduction.expected for s in garnet.scores)[-5]
    kept = rank(garnet.scores, constraints=read_constraints([f"conductivity>={limit:.6f}"]))
    assert 4 <= len(kept) <= 5
    assert all(r.score.conduction.expected >= limit - 1e-5 for r in kept)


def test_contradictions_and_nonsense_get_one_sentence(garnet):
    with pytest.raises(InvalidInput, match="contradict"):
        read_constraints(["conductivity>=-3", "conductivity<=-5"])
    with pytest.raises(InvalidInput, match="No candidate meets"):
        rank(garnet.scores, constraints=read_constraints(["conductivity>=3"]))
    with pytest.raises(UnknownName, match="choose from"):
        read_weights(["beauty"])
    with pytest.raises(InvalidInput, match="conductivity=2"):
        read_weights(["conductivity=much"])
    with pytest.raises(InvalidInput, match="price<=3"):
        read_constraints(["cheap"])
    with pytest.raises(InvalidInput, match="no valid candidate"):
        rank([])


@given(arrays(float, st.tuples(st.integers(1, 25), st.integers(1, 4)), elements=st.floats(0, 1)))
def test_nothing_on_the_front_is_dominated_and_everything_else_is(utilities):
    front = pareto_front(utilities)
    assert front.any()
    for number, row in enumerate(utilities):
        dominated = any((other >= row).all() and (other > row + 1e-12).any() for other in utilities)
        assert front[number] == (not dominated)


def test_a_few_candidates_are_scored_as_in_the_survey(garnet):
    some = list(garnet.scores[:3])
    again = score_all([s.candidate for s in some], Level(), HULL)
    assert [s.conduction.expected for s in again] == pytest.approx([s.conduction.expected for s in some])
    for one, other in zip(again, some, strict=True):
        assert one.stability.energy_above_hull == pytest.approx(other.stability.energy_above_hull, abs=1e-5)
        assert one.stability.lithium_energy == other.stability.lithium_energy


def test_synthesisability_falls_with_the_hull_distance_and_rises_with_entropy():
    values = [synthesisability(e, 0.0, 1000.0) for e in np.linspace(0, 0.2, 9)]
    assert values == sorted(values, reverse=True)
    assert synthesisability(0.05, 0.1, 1300.0) > synthesisability(0.05, 0.0, 1300.0)


def test_mixing_entropy_of_half_the_bromide_is_that_of_one_mixed_site():
    options = CandidateOptions(elements=("Br",), amounts=(0.5,), co_doping=False)
    half = next(c for c in enumerate_candidates(crystal("li3ocl"), options) if c.sites == ("Cl",))
    assert mixing_entropy(half) == pytest.approx(np.log(2) / 5)


def test_two_like_anions_gain_most_half_and_half_and_only_by_what_fits():
    host = crystal("li3ocl")
    options = CandidateOptions(elements=("Br", "S"), amounts=(0.25, 0.5, 0.75, 1.0), co_doping=False)
    found = [c for c in enumerate_candidates(host, options) if len(c.substitutions) == 1]
    bromide = {c.amounts[0]: carrier_prior(c).mixing for c in found if (c.dopants, c.sites) == (("Br",), ("Cl",))}
    assert max(bromide, key=bromide.get) == 0.5
    assert bromide[1.0] == 0.0
    assert all(carrier_prior(c).mixing == 0 for c in found if c.lithium_change)  # sulfide on chloride: other charges


def test_every_possible_dopant_has_facts_and_noble_gases_have_none():
    for symbol in usable_elements():
        facts = element_facts(symbol)
        assert facts.abundance > 0
        assert 1 <= facts.price_class <= 5
    assert element_facts("Pt").price_class > element_facts("Al").price_class
    assert element_facts("Tl").toxicity == "high"
    with pytest.raises(UnsupportedElement, match="Xe"):
        element_facts("Xe")
