"""Template structures hold the composition asked for, on the sites where a chemist would put it, and are marked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Element, Lattice, Structure

from ionscout.datasets.errors import BadFormula
from ionscout.datasets.graph import composition_vector
from ionscout.datasets.placement import UNPLACED, least_cost, place, site_groups
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.structure import ConventionalCell
from ionscout.datasets.templates import Template, complete, fill, template_for, templates_of

ROCK_SALT = Template(
    "rock salt",
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.13), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    225,
    "halide",
)
# La on a cube's corners with lithium and vacancies, Ti in its centre.
PEROVSKITE = Template(
    "perovskite",
    Structure.from_spacegroup(
        "Pm-3m",
        Lattice.cubic(3.87),
        [{"Li": 0.33, "La": 0.56}, "Ti", "O"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]],
    ),
    221,
    "perovskite",
)


@pytest.fixture(scope="module")
def bundled():
    return templates_of(Embedded().load())


@pytest.fixture(scope="module")
def garnet(bundled):
    return next(t for t in bundled if t.id == "llzo_al_rangasamy2012")


def fractions(composition):
    return composition_vector(composition.element_composition).numpy()


@pytest.mark.parametrize("template", [ROCK_SALT, PEROVSKITE], ids=lambda t: t.id)
def test_a_template_filled_with_its_own_composition_is_itself(template):
    filled = fill(template.structure.composition, template)
    assert filled.mismatch == pytest.approx(0, abs=1e-6)
    assert filled.cell_scale == pytest.approx(1)
    for site, own in zip(filled.structure, template.structure, strict=True):
        assert site.species.almost_equals(own.species)
        assert np.allclose(site.frac_coords, own.frac_coords)


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 1), st.sampled_from(["Ta", "Nb"]))
def test_a_doped_garnet_has_its_composition_and_no_site_above_one(garnet, x, dopant):
    formula = Composition({"Li": 7 - x, "La": 3, "Zr": 2 - x, dopant: x, "O": 12})
    filled = fill(formula, garnet)
    assert filled.unplaced == pytest.approx(0, abs=1e-6)
    assert np.abs(fractions(filled.structure.composition) - fractions(formula)).max() < 1e-3
    assert max(site.species.num_atoms for site in filled.structure) < 1 + 1e-6


def test_dopants_go_to_the_sites_of_what_they_replace(garnet):
    filled = fill(Composition("Li6.25La3Zr1.25Ta0.75O12"), garnet).structure
    for site in filled:
        assert ("Ta" in site.species) == ("Zr" in site.species)
        assert "La" not in site.species or site.species["La"] == pytest.approx(1)


def test_a_small_cation_goes_to_the_lithium_sites_where_the_framework_is_full(bundled):
    garnet = next(t for t in bundled if t.id == "llzo_ta_li2012")
    filled = fill(Composition("Li6.4Ga0.2La3Zr2O12"), garnet).structure
    hosts = [site.species for site in filled if "Ga" in site.species]
    assert hosts
    assert all("Li" in species for species in hosts)


def test_elements_keep_their_preference_among_the_sites_of_a_group():
    sites = [{"Li": 0.9, "Na": 0.1}, {"Li": 0.2, "Na": 0.8}, "Cl", "Cl"]
    structure = Structure(Lattice.cubic(6), sites, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0.5], [0, 0, 0.5]])
    first, second, *_ = fill(Composition("Li0.5Na0.5Cl"), Template("mixed", structure)).structure
    assert first.species["Li"] > 0.75 > 0.25 > second.species["Li"]


def test_what_finds_no_site_is_counted_and_left_out():
    filled = fill(Composition("Li3Cl"), ROCK_SALT)
    assert filled.unplaced == pytest.approx(0.5)
    assert filled.structure.composition.reduced_formula == "LiCl"


def test_the_cell_follows_the_size_of_the_ions_unless_it_is_known():
    chloride, bromide = fill(Composition("LiCl"), ROCK_SALT), fill(Composition("LiBr"), ROCK_SALT)
    assert chloride.structure.lattice.a == pytest.approx(5.13)
    assert bromide.structure.lattice.a == pytest.approx(5.50, abs=0.15)  # measured 5.50 Å
    known = ConventionalCell(225, (5.50, 5.50, 5.50, 90.0, 90.0, 90.0), 8)
    assert fill(Composition("LiBr"), ROCK_SALT, known).structure.lattice.a == pytest.approx(5.50)
    primitive = ConventionalCell(225, (3.9, 3.9, 3.9, 60.0, 60.0, 60.0), 2)  # another setting: not to be forced
    assert fill(Composition("LiBr"), ROCK_SALT, primitive).structure.lattice.angles == pytest.approx((90, 90, 90))


def test_an_entry_takes_a_template_of_its_space_group_and_first_of_its_family():
    cell = ConventionalCell(221, (3.9, 3.9, 3.9, 90.0, 90.0, 90.0), 4.89)
    formula = Composition("Li0.3La0.5Sr0.1Ti0.9Ta0.1O3")
    anti = Template("anti-perovskite", PEROVSKITE.structure, 221, "anti-perovskite")
    found = template_for(formula, cell, "perovskite", [ROCK_SALT, anti, PEROVSKITE])
    assert found.template == "perovskite"
    assert found.structure.volume == pytest.approx(3.9**3)
    assert template_for(formula, cell, "garnet", [ROCK_SALT, anti]).template == "anti-perovskite"
    assert template_for(formula, cell, "perovskite", [ROCK_SALT]) is None


def test_a_bare_formula_gets_its_relatives_best_first_and_marked(bundled):
    others = [t for t in bundled if np.abs(fractions(t.structure.composition) - GARNET).max() > 0.01]
    found = complete("Li6.5La3Zr1.5Ta0.5O12", others, top=3)
    families = {t.id: t.family for t in bundled}
    assert [families[c.template] for c in found] == ["garnet"] * 3
    assert found[0].mismatch <= found[1].mismatch <= found[2].mismatch < 0.1
    for c in found:
        assert c.structure.properties["template"] == c.template
        assert c.template in c.note()


GARNET = fractions(Composition("Li6.5La3Zr1.5Ta0.5O12"))


@pytest.mark.parametrize(
    ("formula", "family"),
    [("Li6PS5Br0.5Cl0.5", "argyrodite"), ("Li3HoCl6", "halide"), ("Li1.2Sc0.2Ti1.8P3O12", "NASICON")],
)
def test_the_best_template_is_of_the_right_family(bundled, formula, family):
    families = {t.id: t.family.lower() for t in bundled}
    best = complete(formula, bundled, top=1)[0]
    assert families[best.template] == family.lower()
    assert best.mismatch < 0.1


def test_no_template_is_better_than_an_absurd_one():
    assert complete("Li3P", [ROCK_SALT]) == []  # no anions to line up
    assert complete("NaCl", [ROCK_SALT]) == []  # no lithium
    assert complete("LiCl", []) == []
    with pytest.raises(BadFormula):
        complete("LiCl)", [ROCK_SALT])
    far = complete("Li3PO4", [ROCK_SALT])
    assert all(c.unplaced > 0.02 or c.mismatch > 0.3 for c in far)  # and where there is one, it says how far


@pytest.mark.parametrize(
    "formula", ["Li6.5La3Zr1.5Ta0.5O12", "Li6PS5Br", "Li3YCl6", "LiLa0.1Al0.8In0.1O2", "Li1.3Al0.3Ti1.7P3O12"]
)
@pytest.mark.parametrize("below", [0.01, 0.05, 0.3])
def test_a_limit_on_the_mismatch_leaves_out_what_is_beyond_it_and_nothing_else(bundled, formula, below):
    everything = [(c.template, c.mismatch) for c in complete(formula, bundled, top=12)]
    limited = [(c.template, c.mismatch) for c in complete(formula, bundled, top=12, below=below)]
    assert limited == [(name, mismatch) for name, mismatch in everything if mismatch < below]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.0, 60.0), min_size=4, max_size=4))
def test_the_placement_is_a_minimum_no_plan_beats_and_every_atom_is_accounted_for(garnet, amounts):
    elements = [Element(e) for e in ("Li", "Ga", "Zr", "O")]
    groups, demand = site_groups(garnet.structure), dict(zip(elements, amounts, strict=True))
    placed, cost, missing = place(demand, groups)
    assert placed.min() >= -1e-9
    assert placed.sum() + missing == pytest.approx(sum(amounts), abs=1e-6)
    for column, group in zip(placed.T, groups, strict=True):
        assert column.sum() <= max(len(group.sites), group.occupied) + 1e-6
    bound = least_cost(demand, {e for g in groups for e in g.elements})
    nothing = UNPLACED * sum(amounts) + 0.2 * sum(g.occupied for g in groups)  # all atoms left out, all groups emptied
    assert bound - 1e-6 <= cost <= nothing + 1e-6
