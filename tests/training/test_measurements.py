"""The joined table: copies go, repeats stay, and nothing of a held-out row comes back through an extra table."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition, Lattice, Structure

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.settings import settings
from ionscout.datasets.sources import obelix
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.repeats import contradictory
from ionscout.datasets.structure import conventional_cell
from ionscout.training.benchmarks import measurements as measurements_report
from ionscout.training.folds import grouped_folds, publications
from ionscout.training.leaks import independent, leak_counts, leaks
from ionscout.training.measurements import join, joined_table, noise

needs_data = pytest.mark.skipif(settings().data_dir is None, reason="IONSCOUT_DATA_DIR is not set")
_COUNT = iter(range(10**6))


def row(formula, value, doi="", source="a", **more):
    return Measurement(
        id=str(next(_COUNT)),
        formula=formula,
        composition=Composition(formula),
        structure=more.pop("structure", None),
        log10_conductivity=value,
        doi=doi,
        source=source,
        **more,
    )


ROCK_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.0), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_a_copy_goes_and_what_only_it_knew_stays():
    first = [row("Li6PS5Cl", -2.7, source="obelix")]
    second = [row("Li6PS5Cl", -2.705, "10.1/x", "laskowski", activation_energy_eV=0.33, space_group=216)]
    joined = join([first, second])
    (kept,) = joined.measurements
    assert (kept.source, kept.log10_conductivity) == ("obelix", -2.7)
    assert (kept.activation_energy_eV, kept.space_group, kept.doi) == (0.33, 216, "10.1/x")
    assert [(o.source, o.of, o.same_value, o.same_publication) for o in joined.overlaps] == [
        ("laskowski", "obelix", 1, 0)
    ]
    assert joined.origin_rows == (("obelix", 1), ("laskowski", 1))


def test_a_repeat_by_another_laboratory_and_another_temperature_stay():
    first = [row("Li6PS5Cl", -2.7, "10.1/x", "obelix")]
    second = [
        row("Li6PS5Cl", -3.4, "10.1/y", "table"),
        row("Li6PS5Cl", -1.9, "10.1/x", "table", temperature_K=373.15),
    ]
    joined = join([first, second])
    assert joined.rows == {"obelix": 1, "table": 2}
    assert [m.source for m in joined.extra()] == ["table", "table"]


def test_one_publication_is_one_sample_unless_bulk_and_total_are_told_apart():
    total = row("Li0.33La0.56TiO3", -4.7, "10.1/x", "obelix", kind="total")
    bulk = row("Li0.33La0.56TiO3", -3.0, "10.1/x", "embedded", kind="bulk")
    unknown = row("Li0.33La0.56TiO3", -3.5, "10.1/x", "table")
    assert join([[total], [bulk], [unknown]]).rows == {"obelix": 1, "embedded": 1}


def test_neighbours_in_a_series_are_not_copies_unless_their_values_agree():
    series = [row("Li1.3Al0.3Ti1.7P3O12", -3.0, "10.1/x", "obelix")]
    others = [row("Li1.4Al0.4Ti1.6P3O12", -3.3, "10.1/x", "table"), row("Li1.32Al0.32Ti1.68P3O12", -3.0, "", "table")]
    assert [m.formula for m in join([series, others]).extra()] == ["Li1.4Al0.4Ti1.6P3O12"]


def test_family_and_structure_are_lent_within_one_formula_but_not_between_polymorphs():
    known = row("LiCl", -9, "10.1/x", "obelix", structure=ROCK_SALT, family="halide", space_group=225)
    rows = {
        "plain": row("LiCl", -8, "10.1/a", "table"),
        "same": row("LiCl", -7, "10.1/b", "table", space_group=225),
        "other": row("LiCl", -6, "10.1/c", "table", space_group=194),
    }
    lent = {m.id: m for m in join([[known], list(rows.values())]).measurements}
    assert {name: lent[m.id].structure is not None for name, m in rows.items()} == {
        "plain": True,
        "same": True,
        "other": False,
    }
    assert all(lent[m.id].family == "halide" for m in rows.values())
    wurtzite = row("LiCl", -5, "10.1/d", "obelix", structure=ROCK_SALT, space_group=186)
    lent = {m.id: m for m in join([[known, wurtzite], [rows["plain"]]]).measurements}
    assert lent[rows["plain"].id].structure is None  # two polymorphs are known: which one is not


def test_noise_counts_independent_pairs_only():
    rows = [
        row("Li7La3Zr2O12", -3.5, "10.1/a"),
        row("Li7La3Zr2O12", -4.5, "10.1/b"),
        row("Li7La3Zr2O12", -4.5, "10.1/c"),  # the value of b, cited
        row("Li7La3Zr2O12", -6.0, "10.1/a"),  # the same laboratory
        row("Li7La3Zr2O12", -1.0, "10.1/d", temperature_K=373.15),
        row("Li7La3Zr2O12", -10.0, "10.1/e", censored=True),
        row("Li7La3Zr2O12", float("nan"), "10.1/f", activation_energy_eV=0.3),
        row("Li3YCl6", -3.3, "10.1/g"),
        row("Li3YCl6", -3.5, "10.1/h"),
    ]
    found = noise(rows)
    # a–b 1, a–c 1, b–a' 1.5, c–a' 1.5 and the two halides 0.2
    assert sorted(found.differences) == pytest.approx([0.2, 1.0, 1.0, 1.5, 1.5])
    assert (found.pairs, found.compositions) == (5, 2)
    assert (found.mean, found.median) == (pytest.approx(1.04), pytest.approx(1.0))
    assert found.mean_by_composition == pytest.approx((1.25 + 0.2) / 2)


def test_noise_of_nothing_is_not_a_number():
    found = noise([row("LiCl", -9, "10.1/a")])
    assert found.pairs == 0
    assert np.isnan(found.median)


def test_contradictions_are_two_decades_apart_and_bounds_do_not_contradict():
    rows = [
        row("Li3PS4", -3.8),
        row("Li3PS4", -6.6),
        row("Li3PS4", -5.0),
        row("Li3PS4", -3.0, censored=True),
        row("Li3PS4", -1.0, temperature_K=400.0),
        row("Li3PO4", -10.0, censored=True),
        row("Li3PO4", -6.0),
        row("Li3PO4", -18.0),
    ]
    assert contradictory(rows) == [(0, 1), (5, 6), (6, 7)]


def near_duplicates():
    """Six rows of an extra table that are held-out rows in disguise, and two that are not."""
    held_out = [
        row("Li6.4La3Zr1.4Ta0.6O12", -3.0, "10.1/a", "obelix"),
        row("Li10GeP2S12", -1.92, "10.1/b", "obelix"),
        row("Li3InCl6", -2.8, "10.1/c", "obelix", reference="laskowski:5"),
    ]
    hidden = [
        row("Li6.4La3Zr1.4Ta0.6O12", -3.3, "10.9/z"),  # the composition, another laboratory
        row("Li6.35La3Zr1.35Ta0.65O12", -3.01),  # a neighbour in the series
        row("Li32La15Zr7Ta3O60", -3.0),  # the same in another cell
        row("Li2ZrCl6", -3.5, "10.1/c"),  # the publication
        row("Li2HfCl6", -3.6, reference="laskowski:5"),  # the publication, by its number
        row("Li9GeP2S12", -1.919),  # miscopied formula, same value
    ]
    fair = [row("Li6PS5Br", -3.0, "10.9/y"), row("Li9GeP2S12", -3.9)]
    return held_out, hidden, fair


def test_the_leak_check_finds_six_near_duplicates_and_says_why():
    held_out, hidden, fair = near_duplicates()
    found = leaks(hidden + fair, held_out)
    assert [leak.extra.id for leak in found] == [m.id for m in hidden]
    assert [leak.reason for leak in found] == ["composition"] * 3 + ["publication"] * 2 + ["value"]
    assert found[-1].held_out.formula == "Li10GeP2S12"
    assert leak_counts(found) == {"composition": 3, "publication": 2, "value": 1}


def test_near_duplicates_flatter_a_model_until_they_are_removed():
    held_out, hidden, fair = near_duplicates()

    def error(extra):  # of the plainest model there is: the value of the nearest composition
        miss = []
        for m in held_out:
            apart = [max(abs(m.composition.get_atomic_fraction(e) - x.composition.get_atomic_fraction(e))
                         for e in {*m.composition, *x.composition}) for x in extra]  # fmt: skip
            miss.append(abs(extra[int(np.argmin(apart))].log10_conductivity - m.log10_conductivity))
        return np.mean(miss)

    allowed = independent(hidden + fair, held_out)
    assert [m.id for m in allowed] == [m.id for m in fair]
    assert leaks(allowed, held_out) == []
    assert error(hidden + fair) < 0.8 * error(allowed)


@given(st.integers(0, 2**32 - 1))
def test_what_is_independent_never_leaks(seed):
    random = np.random.default_rng(seed)
    formulas = ["Li6PS5Cl", "Li6PS5Br", "Li5.5PS4.5Cl1.5", "Li5.6PS4.6Cl1.4", "Li3YCl6", "Li3YBr6", "Li2ZrCl6"]
    rows = [
        row(str(random.choice(formulas)), float(random.uniform(-5, -2)), str(random.choice(["", "10.1/a", "10.1/b"])))
        for _ in range(12)
    ]
    held_out, extra = rows[:4], rows[4:]
    allowed = independent(extra, held_out)
    assert leaks(allowed, held_out) == []
    assert len(allowed) + len(leaks(extra, held_out)) == len(extra)


@needs_data
def test_the_real_table_joins_without_leaks_and_shows_the_noise_of_the_labels(monkeypatch):
    monkeypatch.setattr(obelix, "_structure", lambda cifs, entry: None)  # 254 CIFs take half a minute
    joined = joined_table()
    assert joined.rows["obelix"] == 478
    assert {r.source for r in joined.reports} == {"liverpool", "laskowski", "conductivity-1011"}
    assert sum(o.same_value + o.same_publication for o in joined.overlaps) + len(joined.measurements) == sum(
        n for _, n in joined.origin_rows
    )
    main = [m for m in joined.measurements if m.source == "obelix"]
    assert sum(m.activation_energy_eV is not None for m in main) > 150  # from Laskowski
    of_obelix = noise(main)
    assert of_obelix.mean == pytest.approx(0.74, abs=0.05)  # as the first analysis of these repeats found
    assert of_obelix.median == pytest.approx(0.45, abs=0.05)
    extra = joined.extra()
    for _, test in grouped_folds(publications(main), 5, 0):
        held_out = [main[i] for i in test]
        allowed = independent(extra, held_out)
        assert len(allowed) < len(extra)
        assert leaks(allowed, held_out) == []


def test_the_report_counts_sources_copies_leaks_and_noise():
    main = [row("Li6PS5Cl", -2.7, f"10.1/{i}", "obelix") for i in range(3)]
    main += [row(f"Li{3 + i}YCl{6 + i}", -3.0 - i, f"10.2/{i}", "obelix") for i in range(4)]
    extra = [row("Li6PS5Cl", -2.7, "", "table"), row("Li6PS5Cl", -3.9, "10.9/a", "table"), row("LiCl", -9, "", "table")]
    report = measurements_report.run(join([main, extra]))
    assert [(s.source, s.rows, s.kept) for s in report.sources] == [("obelix", 7, 7), ("table", 3, 2)]
    assert sum(f.held_out for f in report.folds) == 7
    assert sum(f.composition for f in report.folds) in (1, 2, 3)  # once for each fold that holds Li6PS5Cl
    assert all(f.leaks_after == 0 for f in report.folds)
    assert report.noise[0].pairs == 3  # each of the three Li6PS5Cl against the repeat; copies are no pairs
    page = measurements_report.markdown(report)
    assert "| obelix | 7 | 7 |" in page
    with pytest.raises(DataUnavailable):
        measurements_report.run(join([extra]))


def test_every_row_is_counted_once_by_the_structure_that_it_trains_with():
    cell = conventional_cell(ROCK_SALT)
    other = replace(cell, space_group=1)  # no crystal of this group is here
    rows = [
        row("LiCl", -9, "10.1/a", "obelix", structure=ROCK_SALT, cell=cell, space_group=225),
        row("LiBr", -9, "10.1/b", "obelix", cell=cell),
        row("LiI", -9, "10.1/c", "obelix", cell=other),
        *(row(f"Li{n}YCl{n + 3}", -4, f"10.2/{n}", "obelix") for n in range(3, 7)),
    ]
    report = measurements_report.run(join([rows, [row("Li2O", -10, "10.3/x", "table")]]))
    main, extra, everything = report.structures
    assert (main.own_crystal, main.cell_alone, main.composition_alone) == (1, 1, 4)
    assert main.near_template + main.far_template == 1
    assert (extra.source, extra.composition_alone) == ("table", 1)
    assert sum(list(asdict(everything).values())[1:]) == 8
    assert "| all | 1 |" in measurements_report.markdown(report)
