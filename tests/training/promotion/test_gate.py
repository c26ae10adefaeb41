"""The gate on synthetic out-of-fold tables: what must be refused is, with the reason, and what must pass does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from ionscout.datasets.errors import BadData
from ionscout.training.promotion.bootstrap import paired_difference
from ionscout.training.promotion.gate import evaluate_gate
from ionscout.training.promotion.policy import read_policy
from ionscout.training.promotion.predictions import DIRECT, TRAINED, Predictions, Truth
from ionscout.training.promotion.report import GateReport

POLICY = read_policy()
FAMILIES = ("garnet", "NASICON", "argyrodite", "perovskite", "halide")
ROWS, ERROR = 400, 1.2


def world(seed: int = 0) -> tuple[Truth, np.random.Generator]:
    """400 rows of 130 papers and five families; a sixth of the labels are bounds."""
    rng = np.random.default_rng(seed)
    names = tuple(f"r{i}" for i in range(ROWS))
    papers = tuple(f"p{i // 3}" for i in range(ROWS))
    families = tuple(FAMILIES[i // 3 % 5] for i in range(ROWS))
    return Truth(names, papers, families, rng.normal(-6, 2.5, ROWS), rng.random(ROWS) < 1 / 6), rng


def model(truth: Truth, rng: np.random.Generator, error: float = ERROR) -> Predictions:
    """A model that is off by `error` decades (normal) with 90 % intervals that fit."""
    noise = rng.normal(0, error, len(truth.row))
    half = np.full(len(truth.row), 1.6 * error)
    fold = np.array([int(name[1:]) % 5 for name in truth.publication])
    return Predictions(truth.row, truth.publication, truth.family, fold, truth.label + noise, half)


def failed(report: GateReport) -> set[str]:
    return {test.name for test in report.failures}


def test_shuffled_labels_are_refused_for_their_error():
    truth, rng = world()
    champion = model(truth, rng)
    shuffled = replace(champion, location=rng.permutation(champion.location))
    report = evaluate_gate(champion, shuffled, truth, POLICY)
    assert not report.passed
    assert "accuracy" in failed(report)
    (accuracy,) = (test for test in report.tests if test.name == "accuracy")
    assert accuracy.margin == pytest.approx(POLICY.accuracy.margin - accuracy.value)
    assert "failed by" in accuracy.words
    assert "accuracy: " in report.words


def test_one_family_forgotten_is_refused_for_that_family_alone():
    truth, rng = world()
    champion = model(truth, rng)
    location = champion.location.copy()
    garnets = np.array(truth.family) == "garnet"
    location[garnets] = truth.label[garnets].mean() + rng.normal(0, 0.5, garnets.sum())
    report = evaluate_gate(champion, replace(champion, location=location), truth, POLICY)
    assert "family garnet" in failed(report)
    assert not {name for name in failed(report) if name.startswith("family")} - {"family garnet"}


def test_a_family_without_predictions_is_refused_and_counted():
    truth, rng = world()
    champion = model(truth, rng)
    location = np.where(np.array(truth.family) == "halide", np.nan, champion.location)
    report = evaluate_gate(champion, replace(champion, location=location), truth, POLICY)
    assert failed(report) == {"rows", "common rows", "family halide"}
    count = truth.family.count("halide")
    assert f"{count} of {count} rows" in report.words


def without(table: Predictions, rows: np.ndarray) -> Predictions:
    """The table of a training that never had these rows [n]."""
    kept = np.flatnonzero(~rows)
    names = {name: tuple(getattr(table, name)[i] for i in kept) for name in ("row", "publication", "family")}
    return Predictions(**names, fold=table.fold[kept], location=table.location[kept], half_width=table.half_width[kept])


def test_a_family_that_it_never_had_is_refused_and_counted():
    truth, rng = world()
    champion, halides = model(truth, rng), np.array(truth.family) == "halide"
    report = evaluate_gate(champion, without(champion, halides), truth, POLICY)
    assert failed(report) == {"rows", "common rows", "family halide"}
    assert f"{halides.sum()} of {halides.sum()} rows" in report.words


def test_a_small_family_that_it_never_had_is_refused_too_even_where_its_answers_are_good():
    truth, rng = world()
    seven = np.arange(ROWS) < 7
    truth = replace(truth, family=tuple("lonely" if few else f for few, f in zip(seven, truth.family, strict=True)))
    champion = model(truth, rng)
    assert failed(evaluate_gate(champion, without(champion, seven), truth, POLICY)) == {"family lonely"}
    asked = replace(champion, fold=np.where(seven, DIRECT, champion.fold))
    assert failed(evaluate_gate(champion, asked, truth, POLICY)) == {"family lonely"}
    assert evaluate_gate(asked, asked, truth, POLICY).passed  # nobody has it


def test_a_family_that_may_be_much_worse_is_refused_though_it_is_not_sure():
    truth, rng = world()
    champion = model(truth, rng, 0.3)
    location, garnets = champion.location.copy(), np.flatnonzero(np.array(truth.family) == "garnet")
    papers = np.array(truth.publication)[garnets]
    location[garnets[papers == papers[0]]] += 15.0  # one paper in 27: the mean rises by 0.55, the lower limit is 0
    report = evaluate_gate(champion, replace(champion, location=location), truth, POLICY)
    (garnet,) = (test for test in report.failures if test.name == "family garnet")
    assert garnet.limit == POLICY.families.worst
    assert garnet.value > POLICY.families.worst


def test_families_too_small_for_a_test_are_judged_together():
    truth, rng = world()
    few = np.arange(ROWS) < 60
    truth = replace(
        truth, family=tuple(f"rare {i // 6}" if few[i] else family for i, family in enumerate(truth.family))
    )
    champion = model(truth, rng, 0.3)
    challenger = replace(champion, location=np.where(few, truth.label + 1.5, champion.location))
    names = {name for name in failed(evaluate_gate(champion, challenger, truth, POLICY)) if "famil" in name}
    assert names == {"other families"}


def test_a_promotion_says_by_how_much():
    truth, rng = world()
    report = evaluate_gate(model(truth, rng, 1.5), model(truth, rng, 1.0), truth, POLICY)
    (accuracy,) = (test for test in report.tests if test.name == "accuracy")
    assert accuracy.words in report.words


def test_a_challenger_of_a_larger_table_is_judged_on_that_though_the_former_rows_only_train():
    truth, rng = world()
    champion, challenger, former = model(truth, rng, 1.5), model(truth, rng, 1.0), np.arange(ROWS) < 90
    champion = replace(champion, fold=np.where(former, champion.fold, DIRECT))  # its answers to the new rows
    challenger = replace(
        challenger,
        fold=np.where(former, TRAINED, challenger.fold),
        location=np.where(former, np.nan, challenger.location),
    )
    report = evaluate_gate(champion, challenger, truth, POLICY)
    assert report.passed, report.words
    assert report.rows == ROWS - 90


def test_rows_that_only_train_judge_nobody():
    truth, rng = world()
    champion, challenger, few = model(truth, rng, 1.5), model(truth, rng, 1.0), np.arange(ROWS) < 90
    challenger = replace(
        challenger, fold=np.where(few, challenger.fold, TRAINED), location=np.where(few, challenger.location, np.nan)
    )
    report = evaluate_gate(champion, challenger, truth, POLICY)
    assert "common rows" in failed(report)
    assert "for 90 rows" in report.words


def test_a_better_challenger_passes_and_is_called_better():
    truth, rng = world()
    champion, challenger = model(truth, rng, 1.5), model(truth, rng, 1.0)
    report = evaluate_gate(champion, challenger, truth, POLICY)
    assert report.passed, report.words
    assert report.better
    assert report.same_folds


@limits(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.4, 2.5))
def test_a_model_is_not_worse_than_itself_and_not_better(seed, error):
    truth, rng = world(seed)
    same = model(truth, rng, error)
    report = evaluate_gate(same, same, truth, POLICY)
    assert report.passed, report.words
    assert not report.better
    stricter = POLICY.model_copy(update={"accuracy": POLICY.accuracy.model_copy(update={"improvement": True})})
    assert failed(evaluate_gate(same, same, truth, stricter)) == {"accuracy"}


def test_the_same_predictions_give_the_same_report():
    truth, rng = world()
    champion, challenger = model(truth, rng), model(truth, rng)
    first, second = (evaluate_gate(champion, challenger, truth, POLICY) for _ in range(2))
    assert first == second
    assert GateReport.from_dict(first.as_dict()) == first


@pytest.mark.parametrize(("factor", "reason"), [(0.5, "coverage"), (1.4, "width")])
def test_intervals_that_are_too_narrow_or_bought_with_width_are_refused(factor, reason):
    truth, rng = world()
    champion = model(truth, rng)
    report = evaluate_gate(champion, replace(champion, half_width=factor * champion.half_width), truth, POLICY)
    assert reason in failed(report)
    assert "accuracy" not in failed(report)


def test_without_champion_only_calibration_is_judged():
    truth, rng = world()
    assert evaluate_gate(None, model(truth, rng), truth, POLICY).passed
    assert {test.name for test in evaluate_gate(None, model(truth, rng), truth, POLICY).tests} == {"coverage"}


def test_models_without_common_rows_are_refused():
    truth, rng = world()
    champion = model(truth, rng)
    nobody = Predictions((), (), (), np.zeros(0, int), np.zeros(0), np.zeros(0))
    assert {"rows", "accuracy"} <= failed(evaluate_gate(champion, nobody, truth, POLICY))


def test_resampling_papers_is_less_sure_than_resampling_rows_that_repeat_each_other():
    rng = np.random.default_rng(0)
    papers = np.repeat(np.arange(20), 10)
    difference = rng.normal(0, 1, 20)[papers]
    grouped = paired_difference(difference, papers, 0.95, 2000, 0)
    alone = paired_difference(difference, np.arange(200), 0.95, 2000, 0)
    assert grouped.mean == alone.mean == pytest.approx(difference.mean())
    assert grouped.upper - grouped.lower > 2 * (alone.upper - alone.lower)
    # the textbook error of a mean of 20 independent values
    assert (grouped.upper - grouped.lower) / 2 == pytest.approx(1.645 * difference.std() / np.sqrt(20), rel=0.15)


def test_the_table_survives_being_written_and_holds_no_label():
    truth, rng = world()
    table = model(truth, rng)
    table.location[3] = np.nan
    back = Predictions.read(table.text())
    assert back.row == table.row
    assert back.folds == table.folds
    assert np.allclose(back.location, table.location, atol=1e-6, equal_nan=True)
    assert "label" not in table.text().splitlines()[0]
    with pytest.raises(BadData, match="out-of-fold"):
        Predictions.read("row,fold\na,b\n")


def test_a_policy_with_a_typo_is_refused(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("draws: 10\n")
    with pytest.raises(BadData, match="wrong at"):
        read_policy(path)
