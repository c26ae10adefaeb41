"""From two registered versions to a decision: collect what the gate needs, judge, change aliases, record why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import mlflow

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.sources.base import Measurement
from ionscout.models.conductivity.predictor import NAME, ConductivityPredictor
from ionscout.training import registry
from ionscout.training.promotion.cost import latency_tests, size_tests, weight_bytes
from ionscout.training.promotion.fresh import new_data_test
from ionscout.training.promotion.gate import evaluate_gate
from ionscout.training.promotion.physics import physics_tests
from ionscout.training.promotion.policy import PromotionPolicy
from ionscout.training.promotion.predictions import ARTIFACT, Predictions, completed, truth_of
from ionscout.training.promotion.report import GateReport, GateTest
from ionscout.training.promotion.shipped import adopt_shipped
from ionscout.training.registry import CHALLENGER, CHAMPION, NotPromoted
from ionscout.training.tracking import use_record

REPORT = "gate.json"
Outcome = Literal["promoted", "refused", "forced", "first", "unchanged", "rolled back"]


@dataclass(frozen=True)
class Decision:
    """What became of a challenger.

    Attributes:
        outcome: promoted, refused, forced (promoted in spite of the gate), first (there was no other champion),
            unchanged (it has the champion's weights, or is the champion), or rolled back (promoted by an earlier run
            for the same inputs, and taken back since, which no retraining undoes).
        version, champion: registry versions of the challenger, and of the champion before.
        words: one sentence. report: of the gate, None where nothing was compared.
    """

    outcome: Outcome
    version: str
    champion: str | None
    words: str
    report: GateReport | None = None

    @property
    def refused(self) -> bool:
        return self.outcome in ("refused", "rolled back")

    def as_dict(self) -> dict:
        body = None if self.report is None else self.report.as_dict()
        fields = {name: getattr(self, name) for name in ("outcome", "version", "champion", "words")}
        return {**fields, "gate": body}


def judge(
    version: str,
    champion: str | None,
    measurements: Sequence[Measurement],
    policy: PromotionPolicy,
    kept_back: Sequence[Measurement] = (),
) -> GateReport:
    """Run every test of one registered version against another (None: against nobody).

    Args:
        measurements: rows with labels that the comparison may use. kept_back: observations that trained neither.

    Raises:
        DataUnavailable: a version is missing, or was trained before out-of-fold tables were kept.
    """
    use_record()
    new, size = _fetched(version)
    old = old_size = old_table = None
    table = completed(out_of_fold(version), measurements, new)
    if champion is not None:
        old, old_size = _fetched(champion)
        old_table = completed(out_of_fold(champion), measurements, old)
    others: list[GateTest] = [
        new_data_test(old, new, kept_back, policy),
        *physics_tests(new, policy.physics),
        *latency_tests(new, old, policy.latency),
        *size_tests(size, old_size, policy.size),
    ]
    return evaluate_gate(old_table, table, truth_of(measurements), policy, others)


def _fetched(version: str) -> tuple[ConductivityPredictor, int]:
    """A registered model and the bytes of its weights."""
    with registry.weights_folder(registry.address(version)) as folder:
        return ConductivityPredictor.load(folder), weight_bytes(folder)


def out_of_fold(version: str) -> Predictions:
    """The table that a version's training logged.

    Raises:
        DataUnavailable: it logged none.
    """
    text = registry.artifact(registry.run_of(version), ARTIFACT)
    if text is None:
        raise DataUnavailable(
            f"Version {version} of {NAME} has no out-of-fold table, so nothing can be compared with it; "
            "`ionscout train conductivity` makes a version that has one, and `ionscout promote conductivity --force "
            "REASON` lets that one answer without a comparison."
        )
    return Predictions.read(text)


def decide(version: str, champion: str | None, report: GateReport) -> Decision:
    """Carry out what a report says: change the aliases, or leave them; and write the report to the version's run.

    Raises:
        NotPromoted: another champion than the one compared with answers by now.
    """
    with registry.changing():
        now = registry.version_of(CHAMPION)
        if now not in (champion, version):
            raise NotPromoted(
                f"Version {now} became champion while {version} was compared with {champion}; judge it again with "
                f"`ionscout promote conductivity --version {version}`."
            )
        if now == version and champion in (None, version):
            decision = Decision("first", version, None, "There was no other champion. " + report.words, report)
        elif report.passed:
            registry.make_champion(version)
            words = f"Version {version} is champion in place of {champion}. {report.words}"
            decision = Decision("promoted", version, champion, words, report)
        else:
            decision = Decision("refused", version, champion, report.words, report)
    record(decision)
    return decision


def promote(
    measurements: Sequence[Measurement],
    policy: PromotionPolicy,
    version: str | None = None,
    force: str = "",
    kept_back: Sequence[Measurement] = (),
) -> Decision:
    """Judge a version (None: the challenger) against the champion, and let it answer if it passes.

    Where nothing is champion yet, the shipped weights are.

    Args:
        force: a reason to promote whatever the gate says; it is recorded.

    Raises:
        NotPromoted: there is no challenger.
        DataUnavailable: the version, its weights or a table to compare with is missing.
    """
    use_record()
    adopt_shipped()
    champion = registry.version_of(CHAMPION)
    chosen = version or registry.version_of(CHALLENGER)
    if chosen is None:
        raise NotPromoted("There is no challenger; make one with `ionscout retrain conductivity` or name a --version.")
    registry.run_of(chosen)  # there is such a version
    if chosen == champion:
        with registry.changing():
            registry.make_champion(chosen)  # the other aliases, where a kill left them behind
        return Decision("unchanged", chosen, champion, f"Version {chosen} is the champion already.")
    if force:
        with registry.changing():
            registry.make_champion(chosen)
        words = f"Version {chosen} is champion in place of {champion} without the gate: {force}"
        decision = Decision("forced", chosen, champion, words)
        record(decision)
        return decision
    return decide(chosen, champion, judge(chosen, champion, measurements, policy, kept_back))


def record(decision: Decision) -> None:
    """Write the decision beside the weights, and the first words of it as a tag of the version."""
    client = mlflow.MlflowClient()
    client.log_dict(registry.run_of(decision.version), decision.as_dict(), REPORT)
    client.set_model_version_tag(NAME, decision.version, "ionscout.gate", decision.outcome)
    client.set_model_version_tag(NAME, decision.version, "ionscout.gate_words", decision.words[:450])
