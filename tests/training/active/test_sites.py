"""Site preference against what diffraction found, and the physics of its terms."""

import pytest
from hosts import crystal

from ionscout.datasets.hulls import load_hull
from ionscout.training.active.ions import Ion, anion_state, cation_states, ionic_radius
from ionscout.training.active.sites import (
    coordination_energy,
    octahedral_preference,
    placements,
    site_preference,
)
from ionscout.training.active.states import stable_charge

HULL = load_hull("learned")


def preferred(host: str, element: str) -> str:
    anion = anion_state(element)
    ions = [*cation_states(element), *([anion] if anion else [])]
    found = site_preference(element, ions, crystal(host), HULL)
    assert found is not None
    return found.best.host_ion.symbol


@pytest.mark.parametrize(
    ("host", "site", "elements"),
    [
        ("llzo_cubic", "Li", "Al Ga Fe Zn"),
        ("llzo_cubic", "Zr", "Ta Nb W Mo Te Sb Bi Ti Sn Hf Ge"),
        ("llzo_cubic", "La", "Ca Sr Ba Rb Nd Sm Gd Pr"),
        ("ltp", "Ti", "Al Ga Sc In Fe Cr Ge Zr Hf Sn Nb"),
        ("li6ps5cl", "P", "Si Ge"),
        ("li3ycl6", "Y", "Er In Sc Ho Yb"),
        ("llto_cubic", "La", "Sr Ca Ba Nd Pr"),
        ("llto_cubic", "Ti", "Al Zr Sn Nb Ta Ge Mn"),
        ("lgps", "Ge", "Si Sn"),
    ],
)
def test_sites_of_diffraction_are_found(host, site, elements):
    symbols = elements.split()
    right = [e for e in symbols if preferred(host, e) == site or (host == "lgps" and preferred(host, e) == "P")]
    assert len(right) >= 0.75 * len(symbols), set(symbols) - set(right)


def test_halides_of_an_argyrodite_stay_out_of_its_thiophosphate_groups():
    host = crystal("li6ps5cl")
    chloride = next(p for p in placements([Ion("Cl", -1)], host, HULL) if p.host_ion.symbol == "S")
    assert chloride.available == pytest.approx(1.0, abs=0.05)  # the free sulfur, not the four of PS4


def test_the_host_ion_itself_fits_its_own_site_best():
    host = crystal("llzo_cubic")
    hafnium, barium = (
        next(p for p in placements([ion], host, HULL) if p.host_ion.symbol == "Zr")
        for ion in (Ion("Hf", 4), Ion("Ba", 2))
    )
    assert hafnium.energy < 0.1 < barium.energy


def test_radii_follow_shannon_and_are_continued_where_he_has_none():
    assert ionic_radius(Ion("Fe", 3), 4) == pytest.approx(0.49)  # high spin
    assert ionic_radius(Ion("La", 3), 8) == pytest.approx(1.16)
    assert ionic_radius(Ion("Zr", 4), 5) == pytest.approx(0.66)
    assert ionic_radius(Ion("Ta", 5), 4) == pytest.approx(0.64 - 2 * 0.07)
    assert ionic_radius(Ion("Xe", 1), 6) is None


def test_crystal_fields_put_chromium_and_nickel_into_octahedra_and_leave_iron_alone():
    assert octahedral_preference(Ion("Cr", 3)) > 1.0
    assert octahedral_preference(Ion("Ni", 2)) > 0.5
    assert octahedral_preference(Ion("Fe", 3)) == octahedral_preference(Ion("Zn", 2)) == 0.0
    assert coordination_energy(Ion("Cr", 3), 4) > coordination_energy(Ion("Cr", 3), 6)
    assert coordination_energy(Ion("Ga", 3), 4) < coordination_energy(Ion("Ga", 3), 6)


@pytest.mark.parametrize(
    ("symbol", "anion", "charge"),
    [("Sb", "O", 5), ("Te", "O", 6), ("Fe", "O", 3), ("Mn", "O", 4), ("W", "O", 6), ("Fe", "Cl", 3), ("Mn", "Cl", 2),
     ("Sn", "S", 4), ("Bi", "S", 3)],
)  # fmt: skip
def test_the_state_is_the_one_that_is_made_beside_the_anion(symbol, anion, charge):
    assert stable_charge(symbol, anion, HULL) == pytest.approx(charge)
