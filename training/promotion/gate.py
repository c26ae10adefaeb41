"""The gate: a challenger against the champion on the rows that neither has seen."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ionscout.training.promotion.bootstrap import paired_difference
from ionscout.training.promotion.policy import PromotionPolicy
from ionscout.training.promotion.predictions import Predictions, Truth
from ionscout.training.promotion.report import GateReport, GateTest, at_least, at_most, silent

FEWEST = 10  # rows in common, below which there is no comparison


@dataclass(frozen=True)
class Paired:
    """Errors (decades, protocol C), cover and half widths of both models on n common rows."""

    publication: np.ndarray
    family: np.ndarray
    champion_error: np.ndarray
    challenger_error: np.ndarray
    covered: np.ndarray
    champion_half: np.ndarray
    challenger_half: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """Challenger − champion, decades [n]: positive where the challenger is worse."""
        return self.challenger_error - self.champion_error


def evaluate_gate(
    champion: Predictions | None,
    challenger: Predictions,
    truth: Truth,
    policy: PromotionPolicy,
    others: Sequence[GateTest] = (),
) -> GateReport:
    """Judge a challenger.

    Args:
        champion: None where there is none yet: then only what needs no comparison is tested.
        truth: labels of the rows; predictions for other rows are left out.
        others: tests made elsewhere (physics, latency, size, new data), which join the report.
    """
    pairs = pair(champion if champion is not None else challenger, challenger, truth)
    tests: list[GateTest] = []
    better = False
    if champion is not None:
        known = challenger.known
        tests += [missing_rows(champion, known, policy), _common_rows(champion, truth, len(pairs.family), policy)]
        tests += _missing_families(champion, challenger, policy)
        if len(pairs.family) < FEWEST:
            tests.append(GateTest("accuracy", False, f"only {len(pairs.family)} rows have labels and both predictions"))
        else:
            accuracy, better = _accuracy(pairs, policy)
            tests += [accuracy, *_families(pairs, policy)]
    tests += _calibration(pairs, policy, compared=champion is not None)
    return GateReport(
        tests=(*tests, *others),
        better=better,
        same_folds=champion is not None and champion.folds == challenger.folds,
        rows=len(pairs.family),
        publications=len(np.unique(pairs.publication)),
    )


def pair(champion: Predictions, challenger: Predictions, truth: Truth) -> Paired:
    """Rows that have a label and a prediction of both models, in the order of the labels."""
    left, right = champion.judged, challenger.judged
    rows = [i for i, name in enumerate(truth.row) if name in left and name in right]
    first = np.array([left[truth.row[i]] for i in rows], dtype=int)
    second = np.array([right[truth.row[i]] for i in rows], dtype=int)
    label, censored = truth.label[rows], truth.censored[rows]
    errors = error_of(challenger.location[second], label, censored)
    return Paired(
        publication=np.array([truth.publication[i] for i in rows], dtype=str),
        family=np.array([truth.family[i] for i in rows], dtype=str),
        champion_error=error_of(champion.location[first], label, censored),
        challenger_error=errors,
        covered=errors <= challenger.half_width[second],
        champion_half=champion.half_width[first],
        challenger_half=challenger.half_width[second],
    )


def error_of(location: np.ndarray, label: np.ndarray, censored: np.ndarray) -> np.ndarray:
    """Absolute error in decades, protocol C: below an upper bound there is none."""
    error = location - label
    return np.where(censored, np.maximum(0.0, error), np.abs(error))


def missing_rows(champion: Predictions, known: Collection[str], policy: PromotionPolicy) -> GateTest:
    """Whether a challenger knows nearly all rows that the champion was judged on: nobody may win by leaving rows out.

    Args:
        known: rows that the challenger predicted or was trained on.
    """
    wanted = champion.judged
    lacking = [name for name in wanted if name not in known]
    share = len(lacking) / max(1, len(wanted))
    words = f"{len(lacking)} of {len(wanted)} rows that the champion was judged on are unknown to the challenger"
    return at_most("rows", share, policy.rows.missing_share, words)


def _common_rows(champion: Predictions, truth: Truth, common: int, policy: PromotionPolicy) -> GateTest:
    """Whether both are compared on as many rows as the champion was judged on. They may be other ones: where a larger
    table came, its rows are judged and the former ones help to train; but rows that only train judge nobody."""
    labelled = set(truth.row)
    wanted = sum(name in labelled for name in champion.folds)
    words = f"both have predictions for {common} rows, the champion's own cross-validation has {wanted} of those here"
    return at_least("common rows", common, (1 - policy.rows.missing_share) * wanted, words)


def _missing_families(champion: Predictions, challenger: Predictions, policy: PromotionPolicy) -> list[GateTest]:
    """Families that the champion learned from and the challenger did not. That it can be asked about their rows does
    not help: of a small family a few lucky answers would pass."""
    wanted, met = champion.folds, challenger.met
    family = dict(zip(champion.row, champion.family, strict=True))
    tests = []
    for name in sorted({family[row] for row in wanted} - {""}):
        members = [row for row in wanted if family[row] == name]
        lacking = sum(row not in met for row in members)
        if len(members) >= policy.families.missing_rows and lacking > policy.families.missing_share * len(members):
            words = f"{lacking} of {len(members)} rows took no part in the challenger's training"
            tests.append(at_most(f"family {name}", lacking / len(members), policy.families.missing_share, words))
    return tests


def _accuracy(pairs: Paired, policy: PromotionPolicy) -> tuple[GateTest, bool]:
    found = paired_difference(pairs.difference, pairs.publication, policy.confidence, policy.draws, policy.seed)
    better = found.upper < 0
    words = (
        f"mean error {pairs.challenger_error.mean():.3f} decades against {pairs.champion_error.mean():.3f} of the "
        f"champion on {len(pairs.family)} rows, difference {found.mean:+.3f}, "
        f"{policy.confidence:.0%} limit {found.upper:+.3f}"
    )
    if policy.accuracy.improvement:
        test = at_most("accuracy", found.upper, 0.0, words + " (must be below 0)")
        return (test if better else GateTest(test.name, False, test.words, *_numbers(test))), better
    margin = policy.accuracy.margin
    return at_most("accuracy", found.upper, margin, words + f" (allowed {margin:+.3f})"), better


def _numbers(test: GateTest) -> tuple[float | None, float | None, float | None]:
    return test.value, test.limit, test.margin


def _families(pairs: Paired, policy: PromotionPolicy) -> list[GateTest]:
    """Every family by itself, and those that are too small for that together.

    Each has to be shown not to be worse by `worst` (an intersection-union test: all must pass, so no limit is corrected
    for their number); and none may be shown to be worse, corrected, while its mean is above `margin`.
    """
    rules = policy.families
    names, counts = np.unique(pairs.family, return_counts=True)
    large = [str(f) for f, count in zip(names, counts, strict=True) if f and count >= rules.rows]
    groups = {f"family {name}": pairs.family == name for name in large}
    small = ~np.isin(pairs.family, large)
    if large and small.sum() >= rules.rows:
        groups["other families"] = small
    if not groups:
        return [silent("families", f"no family has {rules.rows} rows in common")]
    corrected = 1 - (1 - policy.confidence) / len(groups)  # Bonferroni
    tests = []
    for name, here in groups.items():
        rows = pairs.difference[here], pairs.publication[here]
        found = paired_difference(*rows, policy.confidence, policy.draws, policy.seed)
        lower = paired_difference(*rows, corrected, policy.draws, policy.seed).lower
        value, limit, bound = found.upper, rules.worst, f"at most {found.upper:+.3f}"
        if lower > 0 and found.upper <= rules.worst:
            value, limit, bound = found.mean, rules.margin, f"certainly above {lower:+.3f}"
        words = (
            f"mean error {found.mean:+.3f} decades against the champion on {here.sum()} rows, {bound} "
            f"(allowed {limit:+.2f})"
        )
        tests.append(at_most(name, value, limit, words))
    return tests


def _calibration(pairs: Paired, policy: PromotionPolicy, compared: bool) -> list[GateTest]:
    rules, n = policy.calibration, len(pairs.covered)
    if n < FEWEST:
        return [silent("coverage", f"{n} rows are too few to tell")]
    coverage = float(pairs.covered.mean())
    low, high = rules.coverage
    if n < rules.fewest:
        slack = 2 * np.sqrt(0.9 * 0.1 / n)
        low, high = low - slack, min(1.0, high + slack)
    words = f"{coverage:.1%} of {n} rows lie in their interval (wanted {low:.1%} to {high:.1%})"
    tests = [
        at_least("coverage", coverage, low, words) if coverage < low else at_most("coverage", coverage, high, words)
    ]
    if compared:
        ratio = float(pairs.challenger_half.mean() / pairs.champion_half.mean())
        words = f"intervals are {ratio:.2f} times as wide as the champion's (allowed {rules.width_ratio:.2f})"
        tests.append(at_most("width", ratio, rules.width_ratio, words))
    return tests
