"""Observations kept back from every training, so that champion and challenger are both judged on them fairly."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ionscout.datasets.composition import atomic_fractions
from ionscout.datasets.sources.base import Measurement
from ionscout.models.conductivity.predictor import ConductivityPredictor
from ionscout.training.promotion.bootstrap import paired_difference
from ionscout.training.promotion.gate import error_of
from ionscout.training.promotion.policy import PromotionPolicy
from ionscout.training.promotion.predictions import DIRECT, Predictions, table, truth_of
from ionscout.training.promotion.report import GateTest, at_most, silent

NAME = "new data"


def split_new(rows: Sequence[Measurement], share: float) -> tuple[list[Measurement], list[Measurement]]:
    """(to train on, kept back). The composition alone decides, so a row stays on its side in every later training."""
    kept: list[Measurement] = []
    back: list[Measurement] = []
    for m in rows:
        text = ",".join(f"{x:.3f}" for x in atomic_fractions(m.composition))
        place = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 0x1_0000_0000
        (back if place < share else kept).append(m)
    return kept, back


def new_data_test(
    champion: ConductivityPredictor | None,
    challenger: ConductivityPredictor,
    kept_back: Sequence[Measurement],
    policy: PromotionPolicy,
) -> GateTest:
    """Both finished models on the observations that neither was trained on."""
    truth = truth_of(kept_back)
    if champion is None or len(truth.row) < policy.new_data.rows:
        return silent(NAME, f"{len(truth.row)} held-out observations, {policy.new_data.rows} and a champion are needed")
    errors = []
    for predictor in (champion, challenger):
        found = _asked(predictor, kept_back)
        location = np.array([found.location[found.judged[name]] for name in truth.row])
        errors.append(error_of(location, truth.label, truth.censored))
    apart = errors[1] - errors[0]
    # Rows stand for themselves: they usually are of one laboratory.
    found_difference = paired_difference(apart, np.arange(len(apart)), policy.confidence, policy.draws, policy.seed)
    limit = policy.new_data.margin if found_difference.lower > 0 else float("inf")
    words = (
        f"mean error {errors[1].mean():.3f} decades against {errors[0].mean():.3f} of the champion on {len(apart)} "
        f"observations that trained neither, limits {found_difference.lower:+.3f} to {found_difference.upper:+.3f}"
    )
    if np.isinf(limit):
        return silent(NAME, words)
    return at_most(NAME, found_difference.mean, limit, words + f" (allowed {limit:+.2f})")


def _asked(predictor: ConductivityPredictor, rows: Sequence[Measurement]) -> Predictions:
    answers = predictor.predict([m.material() for m in rows])
    location = np.log10([a.conductivity for a in answers])
    half = np.log10([a.upper for a in answers]) - location
    return table(rows, np.full(len(rows), DIRECT), location, half)
