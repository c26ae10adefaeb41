"""Candidates: charge balance, limits of lithium, average structures, the mechanisms that the field knows."""

from itertools import islice

import pytest
from hosts import crystal, formula
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Element

from ionscout.datasets.errors import InvalidInput, NoLithium, UnsupportedElement
from ionscout.datasets.structure import parse_material
from ionscout.training.active.candidates import CandidateOptions, enumerate_candidates, scan
from ionscout.training.active.host import host_of
from ionscout.training.active.ions import Ion, usable_elements
from ionscout.training.active.oxidation import oxidation_states

HOSTS = ("llzo_cubic", "li6ps5cl", "li3ocl", "ltp", "li3ycl6")


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(HOSTS),
    elements=st.lists(st.sampled_from(usable_elements()), min_size=1, max_size=3, unique=True),
    amount=st.floats(0.01, 0.9),
    share=st.floats(0.05, 1.0),
)
def test_every_candidate_is_neutral_and_keeps_lithium_within_its_room(name, elements, amount, share):
    host = crystal(name)
    options = CandidateOptions(
        elements=tuple(elements), amounts=(amount,), pair_amounts=(amount,), largest_share=share, pair_energy=1.5
    )
    for candidate in enumerate_candidates(host, options):
        charges = {e.symbol: host.states[e.symbol] for e in host.composition.elements}
        placed = sum(s.amount * s.ion.charge for s in candidate.substitutions)
        left = dict(candidate.content)
        for s in candidate.substitutions:
            left[s.ion.symbol] = left.get(s.ion.symbol, 0.0) - s.amount
        total = placed + sum(charges[e] * n for e, n in left.items() if abs(n) > 1e-9)
        assert total == pytest.approx(0.0, abs=1e-6)
        assert candidate.charge == pytest.approx(0.0, abs=1e-6)
        assert all(n > 0 for n in candidate.content.values())
        inside = sum(s.amount for s in candidate.substitutions if s.host_ion.symbol == "Li")
        if candidate.lithium_change > 0:
            assert candidate.content["Li"] + inside <= host.room.capacity + 1e-6
        else:
            assert -candidate.lithium_change <= options.most_vacancies * host.lithium + 1e-6


@pytest.mark.parametrize("name", HOSTS)
def test_the_average_structure_holds_the_candidates_composition(name):
    host = crystal(name)
    options = CandidateOptions(elements=("Al", "Nb", "Ca", "Br", "Si", "Zr"))
    for candidate in list(enumerate_candidates(host, options))[::23]:
        held = candidate.structure.composition.element_composition
        for symbol, amount in candidate.content.items():
            assert held[Element(symbol)] / host.units == pytest.approx(amount, abs=0.03)
        assert all(site.species.num_atoms <= 1 + 1e-6 for site in candidate.structure)


def test_compositions_are_enumerated_once():
    options = CandidateOptions(elements=("Al", "Ga", "Ta", "Ca", "Y"))
    found = list(enumerate_candidates(crystal("llzo_cubic"), options))
    keys = {tuple(sorted((e, round(n, 4)) for e, n in c.content.items())) for c in found}
    assert len(keys) == len(found)


def test_a_garnet_has_tens_of_thousands_of_candidates_and_they_come_lazily():
    few = list(islice(enumerate_candidates(crystal("llzo_cubic")), 5))
    assert len(few) == 5
    assert sum(1 for _ in enumerate_candidates(crystal("llzo_cubic"))) > 10_000


@pytest.mark.parametrize(
    ("name", "elements", "mechanism", "composition"),
    [
        ("llzo_cubic", ("Ga",), "Ga³⁺ on Li⁺, 2 lithium vacancies", "Li6.25Ga0.25La3Zr2O12"),
        ("llzo_cubic", ("Ta",), "Ta⁵⁺ on Zr⁴⁺, 1 lithium vacancy", "Li6.4La3Zr1.4Ta0.6O12"),
        ("llzo_cubic", ("Ca",), "Ca²⁺ on La³⁺, 1 lithium interstitial", "Li7.1La2.9Ca0.1Zr2O12"),
        ("llzo_cubic", ("Hf",), "Hf⁴⁺ on Zr⁴⁺, same charge", "Li7La3Zr1.5Hf0.5O12"),
        ("llzo_cubic", ("Ca", "Nb"), "Nb⁵⁺ on Zr⁴⁺ and Ca²⁺ on La³⁺, no change of lithium",
         "Li7La2.9Ca0.1Zr1.9Nb0.1O12"),
        ("ltp", ("Al",), "Al³⁺ on Ti⁴⁺, 1 lithium interstitial", "Li1.3Al0.3Ti1.7P3O12"),
        ("li6ps5cl", ("Cl",), "Cl⁻ on S²⁻, 1 lithium vacancy", "Li5.5PS4.5Cl1.5"),
        ("li6ps5cl", ("Br",), "Br⁻ on Cl⁻, same charge", "Li6PS5Cl0.5Br0.5"),
        ("li3ocl", ("Br",), "Br⁻ on Cl⁻, same charge", "Li3OCl0.5Br0.5"),
    ],
)  # fmt: skip
def test_mechanisms_of_the_literature_are_among_them(name, elements, mechanism, composition):
    wanted = Composition(composition)
    options = CandidateOptions(elements=elements, pair_energy=1.5)
    found = [
        c
        for c in enumerate_candidates(crystal(name), options)
        if c.composition.almost_equals(wanted, rtol=0, atol=0.01)
    ]
    assert [c.mechanism for c in found] == [mechanism]


def test_lithium_interstitials_stop_at_the_free_sites():
    """Cubic Li7La3Zr2O12 holds 7.5 lithium at most (Xie et al., Chem. Mater. 23, 3587 (2011))."""
    host = crystal("llzo_cubic")
    assert host.room.capacity == pytest.approx(7.5)
    found = enumerate_candidates(host, CandidateOptions(elements=("Ca", "Sr", "Mg", "Y", "Sc", "In")))
    assert max(c.content["Li"] for c in found) <= 7.5 + 1e-9


def test_a_formula_without_structure_is_doped_too():
    host = formula("Li5B7S13")
    assert host.structure is None
    found = list(enumerate_candidates(host, CandidateOptions(elements=("Al", "Cl"))))
    assert found
    assert all(c.structure is None and c.charge == pytest.approx(0, abs=1e-6) for c in found)


def test_a_formula_gets_the_crystal_of_its_family():
    host = formula("Li7La3Zr2O12")
    assert host.structure is not None
    assert not host.structure.is_ordered  # the cubic polymorph, not the ordered tetragonal one
    assert host.room.capacity == pytest.approx(7.5)


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("Li7La3Zr2O12", {"La": 3, "Zr": 4, "O": -2}),
        ("Li6PS5Cl", {"P": 5, "S": -2, "Cl": -1}),
        ("Li1.3Al0.3Ti1.7(PO4)3", {"Al": 3, "Ti": 4, "P": 5}),
        ("Li2SO4", {"S": 6, "O": -2}),
        ("LiFePO4", {"Fe": 2, "P": 5}),
        ("Li2.25Zr0.75Fe0.25Cl6", {"Zr": 4, "Fe": 3, "Cl": -1}),
        ("Li10GeP2S12", {"Ge": 4, "P": 5}),
    ],
)
def test_oxidation_states_are_those_a_chemist_writes(text, states):
    found = oxidation_states(Composition(text))
    assert {e: found[e] for e in states} == states


def test_a_scan_follows_one_substitution_to_its_end():
    line = scan(crystal("li3ocl"), Ion("Br", -1), "Cl", [0.25, 0.5, 1.0])
    assert [c.amounts[0] for c in line] == [0.25, 0.5, 1.0]
    assert "Cl" not in line[-1].content


def test_bad_hosts_and_options_are_refused_in_one_sentence():
    with pytest.raises(NoLithium, match="lithium"):
        host_of(parse_material("Al2O3", "formula", need_lithium=False))
    with pytest.raises(InvalidInput, match="oxidation states"):
        host_of(parse_material("Li9La3Zr9O2", "formula"))
    with pytest.raises(UnsupportedElement, match="radioactive"):
        enumerate_candidates(crystal("li3ocl"), CandidateOptions(elements=("U",)))
    with pytest.raises(UnsupportedElement, match="not an element"):
        enumerate_candidates(crystal("li3ocl"), CandidateOptions(elements=("Xx",)))
    with pytest.raises(InvalidInput, match="positive"):
        enumerate_candidates(crystal("li3ocl"), CandidateOptions(amounts=(0.0,)))
    with pytest.raises(InvalidInput, match="holds no"):
        scan(crystal("li3ocl"), Ion("Br", -1), "S", [0.5])
