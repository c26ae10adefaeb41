"""The active-learning benchmark: exact random choice, honest campaigns, and a loop that beats chance in seconds."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Composition

from ionscout.datasets.errors import BadData, OutOfRange
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.obelix import Obelix
from ionscout.training.benchmarks.active_learning import benchmark, large_families, run, unrelated
from ionscout.training.benchmarks.active_learning_leaks import leak_check
from ionscout.training.benchmarks.active_learning_loop import Table, Task, play
from ionscout.training.benchmarks.active_learning_page import markdown
from ionscout.training.benchmarks.active_learning_scores import (
    Run,
    acceleration,
    compared,
    random_hits,
    random_to_hit,
    target_rows,
)
from ionscout.training.benchmarks.active_learning_strategies import FOREST, OURS, Loop, strategies
from ionscout.training.leaks import leaks

NOTHING = (np.zeros(0, dtype=int), np.zeros(0), np.zeros(0, dtype=bool))


def rows_of(family: str, base: str, dopants: tuple[str, ...], optimum: float, seed: int) -> list[Measurement]:
    """A made-up family: conductivity has a maximum at one amount of dopant and depends on the dopant."""
    rng = np.random.default_rng(seed)
    rows = []
    for (k, dopant), x in itertools.product(enumerate(dopants), np.linspace(0.02, 0.6, 16)):
        formula = base.format(d=dopant, x=round(x, 3))
        value = -4 - 0.4 * k - 8 * (x - optimum) ** 2 + rng.normal(0, 0.1)
        rows.append(
            Measurement(f"{family}-{dopant}-{x:.2f}", formula, Composition(formula), None, value, family=family)
        )
    return rows


MADE_UP = rows_of("garnet", "Li6.4La3Zr2{d}{x}O12", ("Ta", "Nb", "Al", "Ga"), 0.35, 0) + rows_of(
    "NASICON", "Li1.3Ti1.7{d}{x}P3O12", ("Al", "Ga", "Fe", "Sc"), 0.35, 1
)


def test_random_choice_has_the_expectations_of_the_negative_hypergeometric_distribution():
    rng, pool, targets = np.random.default_rng(0), 30, 4
    places = np.sort([rng.permutation(pool)[:targets] for _ in range(20_000)], axis=1) + 1
    for number in (1, 2, 3):
        assert random_to_hit(pool, targets, number) == pytest.approx(places[:, number - 1].mean(), rel=0.02)
    assert random_hits(pool, targets, 10) == pytest.approx((places <= 10).sum(1).mean(), rel=0.02)


def test_a_run_cut_short_counts_as_if_it_went_on_at_random():
    rng, pool, targets = np.random.default_rng(1), 40, 5
    cut = []
    for _ in range(20_000):
        hits = np.isin(rng.permutation(pool), np.arange(targets))
        cut.append(Run(pool, targets, hits[:12], 1).to_hit())
    assert np.mean(cut) == pytest.approx(random_to_hit(pool, targets, 3), rel=0.02)


def test_targets_are_the_best_share_and_ties_with_the_last():
    labels = np.array([-1.0, -2.0, -2.0, *[-5.0] * 37])
    assert target_rows(labels, 0.05).sum() == 3
    assert target_rows(labels, 0.025).sum() == 1


def test_acceleration_of_chance_is_one_and_doubles_when_half_as_many_measurements_are_needed():
    slow = [[Run(99, 4, np.isin(np.arange(99), [10, 20, 59]), 1)] * 5]
    fast = [[Run(99, 4, np.isin(np.arange(99), [5, 9, 29]), 1)] * 5]
    np.testing.assert_allclose(acceleration(slow), 1.0)  # 3 · 100 / 5 = 60 measurements
    np.testing.assert_allclose(acceleration(fast), 2.0)
    np.testing.assert_allclose(compared(fast, slow), 2.0)
    low, mid, high = acceleration([fast[0], slow[0]])
    assert low == pytest.approx(1.0)
    assert mid == pytest.approx(np.sqrt(2))
    assert high == pytest.approx(2.0)


def task_of(measurements: list[Measurement]) -> tuple[Task, np.ndarray]:
    return Task(Table(measurements), np.arange(len(measurements)), *NOTHING), np.array(
        [m.log10_conductivity for m in measurements]
    )


@pytest.mark.parametrize("name", strategies("cold"))
def test_every_strategy_measures_each_row_once_within_the_budget_and_is_reproducible(name):
    task, labels = task_of(MADE_UP[:40])
    orders = [
        play(
            task,
            strategies("cold")[name],
            lambda rows: (labels[rows], np.zeros(len(rows), dtype=bool)),
            seed=2,
            budget=23,
        )
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*orders)
    assert len(set(orders[0].tolist())) == 23


def test_labels_are_revealed_for_chosen_rows_alone():
    task, labels = task_of(MADE_UP[:40])
    seen: list[int] = []

    def reveal(rows):
        seen.extend(rows.tolist())
        return labels[rows], np.zeros(len(rows), dtype=bool)

    order = play(task, Loop(), reveal, seed=0, budget=15)
    assert seen == order.tolist()


def test_a_strategy_finds_the_best_of_a_made_up_family_far_faster_than_chance():
    report = benchmark(MADE_UP, seeds=4, only=(OURS, "random"))
    for setting in (report.cold, report.warm):
        assert setting[OURS].acceleration[0] > 1.3
        assert setting[OURS].hits_50 > setting["random"].hits_50
    assert report.warm_by_family.keys() == {"garnet", "NASICON"}


def test_the_report_has_the_promised_shape_and_can_be_written():
    report = benchmark(MADE_UP, seeds=2, only=(OURS, FOREST))
    text = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    for setting in ("cold", "warm"):
        for score in text[setting].values():
            assert score.keys() == {"hits_50", "to_third_hit", "families", "acceleration"}
            low, mid, high = score["acceleration"]
            assert low <= mid <= high
    assert "Leak check" in markdown(report)


def test_no_label_reaches_a_strategy_before_it_is_measured():
    pool = np.arange(len(MADE_UP))
    check = leak_check(MADE_UP, {"cold": pool}, {"cold": pool[:0]})
    assert check.first_batch_ignores_labels
    assert check.unmeasured_ignored
    assert check.remaining == 0


def test_the_leak_check_notices_a_label_that_is_left_in():
    families = large_families(MADE_UP)
    known = {name: np.arange(len(MADE_UP)) for name in families}  # the pool itself among the known labels
    pools = {"cold": np.arange(len(MADE_UP)), **families}
    assert leak_check(MADE_UP, pools, known | {"cold": pools["cold"][:0]}).remaining > 0


def test_the_leak_check_notices_a_prior_that_was_fitted_to_labels():
    class Fitted(Table):
        def __init__(self, measurements):
            super().__init__(measurements)
            labels = np.array([m.log10_conductivity for m in measurements])
            self.with_prior = replace(self.with_prior, mean=0.1 * labels)

    pool = np.arange(len(MADE_UP))
    check = leak_check(MADE_UP, {"cold": pool}, {"cold": pool[:0]}, Fitted)
    assert not check.first_batch_ignores_labels
    assert not check.unmeasured_ignored


def test_a_family_takes_part_when_its_best_five_percent_are_three_rows():
    assert large_families(MADE_UP).keys() == {"garnet", "NASICON"}
    assert large_families(MADE_UP[:45]).keys() == {"garnet"}  # 41 rows when a tenth is hidden
    assert not large_families(MADE_UP[:44])
    assert not large_families(MADE_UP, hidden=0.5)


def test_too_few_rows_or_seeds_are_refused():
    with pytest.raises(BadData, match="best 5 %"):
        benchmark(MADE_UP[:40], seeds=2)
    with pytest.raises(OutOfRange, match="seeds"):
        run(None, seeds=1)


@pytest.mark.skipif(settings().data_dir is None, reason="needs OBELiX")
def test_warm_labels_of_obelix_tell_nothing_about_the_family_in_the_pool(tmp_path):
    (tmp_path / "train.csv").write_bytes((settings().data_dir / "obelix" / "train.csv").read_bytes())  # without CIFs
    measurements = Obelix(tmp_path).load()
    families = large_families(measurements)
    assert {"NASICON", "garnet", "argyrodite"} <= families.keys()
    for rows in families.values():
        known = unrelated(measurements, rows)
        assert len(known) > 300
        assert not leaks([measurements[i] for i in known], [measurements[i] for i in rows])
