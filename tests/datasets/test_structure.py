"""Text to checked material: what is kept, what is refused, and with which sentence."""

import json

import pytest
from pymatgen.core import Lattice, Structure

from ionscout.datasets import errors
from ionscout.datasets.composition import formula_text, parse_formula
from ionscout.datasets.sources.embedded import cif_text
from ionscout.datasets.structure import MAX_SITES, Material, material_from_structure, parse_material, recognise_format


def rock_salt(a: float = 5.13) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def disordered() -> Structure:
    """Half of the lithium replaced by magnesium on a third as many sites: a mixture and a vacancy on one site."""
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.2), [{"Li": 0.5, "Mg": 0.25}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def test_every_format_gives_the_same_material():
    structure = rock_salt()
    texts = {"cif": structure.to(fmt="cif"), "poscar": structure.to(fmt="poscar"), "json": structure.to_json()}
    for source_format, text in texts.items():
        material = parse_material(text)
        assert material.source_format == source_format
        assert material.formula == "LiCl"
        assert len(material.structure) == 8
        assert material.cell.space_group == 225


def test_partial_occupancy_survives_parsing_as_mixture_and_vacancy():
    material = parse_material(disordered().to(fmt="cif"))
    mixed = [site for site in material.structure if len(site.species) == 2]
    assert len(mixed) == 4
    for site in mixed:
        assert sum(site.species.values()) == pytest.approx(0.75)
        assert site.species["Li"] == pytest.approx(0.5)


def test_oxidation_states_do_not_make_another_element():
    structure = rock_salt()
    structure.add_oxidation_state_by_element({"Li": 1, "Cl": -1})
    material = parse_material(structure.to_json())
    assert material.formula == "LiCl"
    assert {el.symbol for el in material.structure.composition.elements} == {"Li", "Cl"}


@pytest.mark.parametrize("formula", ["Li6PS5Cl", "Li6.5La3Zr1.5Ta0.5O12", "Li1.3Al0.3Ti1.7(PO4)3", "LiBH4"])
def test_a_formula_keeps_its_amounts(formula):
    material = parse_material(formula)
    assert material.structure is None
    assert material.cell is None
    assert parse_formula(material.formula).almost_equals(parse_formula(formula))


@pytest.mark.parametrize("cell", [(1, 1, 1), (2, 1, 1), (1, 2, 2)])
def test_the_conventional_cell_does_not_depend_on_the_cell_given(cell):
    material = material_from_structure(disordered() * cell)
    assert material.cell.space_group == 225
    assert material.cell.lattice[0] == pytest.approx(5.2)
    assert material.cell.atoms == pytest.approx(7.0)


BAD = {
    "": errors.UnreadableStructure,
    "data_broken\nloop_\n_cell_": errors.UnreadableStructure,
    "{}": errors.UnreadableStructure,
    "NaCl": errors.NoLithium,
    "LiTcO4": errors.UnsupportedElement,
    "LiXx2": errors.BadFormula,
    "Li-1O": errors.BadFormula,
    "Li0": errors.BadFormula,
    "(" * 300: errors.BadFormula,
    "x" * 1_000_001: errors.TextTooLarge,
}


@pytest.mark.parametrize(("text", "kind"), BAD.items(), ids=[repr(text[:12]) for text in BAD])
def test_bad_text_is_one_typed_sentence(text, kind):
    with pytest.raises(kind) as caught:
        parse_material(text)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert "Traceback" not in message


def test_occupancy_above_one_is_refused_and_rounding_is_not():
    def overfull(amount: float) -> str:
        content = rock_salt().as_dict()
        content["sites"][0]["species"][0]["occu"] = amount
        return json.dumps(content)

    with pytest.raises(errors.OccupancyAboveOne):
        parse_material(overfull(1.2))
    kept = parse_material(overfull(1.01))
    assert max(sum(site.species.values()) for site in kept.structure) <= 1 + 1e-9
    assert any("scaled" in note for note in kept.warnings)


def test_full_sites_on_top_of_each_other_are_refused():
    structure = rock_salt()
    structure.append("Li", [0.03, 0, 0])
    with pytest.raises(errors.OverlappingSites):
        material_from_structure(structure)


def test_split_lithium_sites_are_alternatives_not_an_overlap():
    structure = Structure(Lattice.cubic(5.0), [{"Li": 0.5}, {"Li": 0.5}, "Cl"], [[0, 0, 0], [0.1, 0, 0], [0.5] * 3])
    assert isinstance(material_from_structure(structure), Material)


def test_too_many_sites_are_refused():
    with pytest.raises(errors.TooManySites):
        material_from_structure(rock_salt() * (4, 4, 4))
    assert MAX_SITES == 500


@pytest.mark.parametrize("a", [0.513, 51300.0])
def test_lengths_in_the_wrong_unit_are_noticed(a):
    with pytest.raises((errors.OverlappingSites, errors.UnreadableStructure), match="Å"):
        material_from_structure(rock_salt(a))


def test_coatings_and_electrodes_may_lack_lithium_on_request():
    assert parse_material("Al2O3", need_lithium=False).formula == "Al2O3"


def test_recognition_of_formats():
    assert recognise_format("Li3N") == "formula"
    assert recognise_format('{"sites": []}') == "json"
    assert recognise_format("data_x\n_cell_length_a 1") == "cif"


def test_formula_text_round_trips():
    composition = parse_formula("Li6.24Al0.24La3Zr2O11.98")
    assert parse_formula(formula_text(composition)).almost_equals(composition)


@pytest.mark.parametrize(
    ("name", "formula"), [("llzo_ta", "Li6.4La3Zr1.4Ta0.6O12"), ("latp", "Li1.3Al0.3Ti1.7P3O12"), ("li2o", "Li2O")]
)
def test_a_disordered_cell_is_reduced_to_the_formula_of_its_paper(name, formula):
    material = parse_material(cif_text(name))
    expected = parse_formula(formula)
    assert material.composition.num_atoms == pytest.approx(expected.num_atoms, rel=0.02)


def test_rounded_occupancies_keep_the_charge_balance():
    material = parse_material(cif_text("llzo_al"))
    assert dict(material.composition.as_dict()) == {"Li": 6.25, "La": 3.0, "Zr": 2.0, "Al": 0.25, "O": 12.0}
