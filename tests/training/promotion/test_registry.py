"""Aliases: promotion, refusal, rollback, and a champion at every moment."""

from dataclasses import replace

import mlflow
import numpy as np
import pytest

from ionscout.datasets.errors import DataUnavailable
from ionscout.training import registry
from ionscout.training.promotion.decide import decide, judge, promote
from ionscout.training.promotion.policy import read_policy
from ionscout.training.registry import CHALLENGER, CHAMPION, PREVIOUS, NotPromoted

POLICY = read_policy()


def test_training_logs_a_table_without_values_that_covers_every_row(champion, rows):
    from ionscout.training.promotion.predictions import ARTIFACT, Predictions, truth_of

    text = registry.artifact(registry.run_of(champion), ARTIFACT)
    table = Predictions.read(text)
    assert len(table.judged) == len(rows)
    assert set(truth_of(rows).row) <= set(table.row)
    assert not any(m.formula in text or (m.doi and m.doi in text) for m in rows)


def test_a_challenger_as_good_is_promoted_and_rollback_undoes_it(champion, another, rows, relaxed):
    version = another()
    assert registry.version_of(CHALLENGER) == version
    decision = promote(rows, relaxed)
    assert decision.outcome == "promoted", decision.words
    assert decision.report.same_folds
    assert (registry.version_of(CHAMPION), registry.version_of(PREVIOUS)) == (version, champion)
    assert registry.version_of(CHALLENGER) is None
    assert registry.rollback() == (version, champion)
    assert (registry.version_of(CHAMPION), registry.version_of(PREVIOUS)) == (champion, version)
    assert registry.rollback() == (champion, version)


def test_a_worse_challenger_is_refused_and_the_reason_is_recorded(champion, another, rows, relaxed):
    rng = np.random.default_rng(0)
    version = another(lambda same: replace(same, location=rng.permutation(same.location)))
    decision = promote(rows, relaxed)
    assert decision.refused
    assert "accuracy" in {test.name for test in decision.report.failures}
    assert "failed by" in decision.words
    assert registry.version_of(CHAMPION) == champion
    written = mlflow.artifacts.load_dict(f"runs:/{registry.run_of(version)}/gate.json")
    assert written["outcome"] == "refused"
    assert mlflow.MlflowClient().get_model_version("conductivity", version).tags["ionscout.gate"] == "refused"


def test_force_promotes_and_records_the_reason(champion, another, rows, relaxed):
    version = another(table=None)
    with pytest.raises(DataUnavailable, match="out-of-fold table"):
        promote(rows, relaxed, version)
    decision = promote(rows, relaxed, version, force="the only one that knows halides")
    assert decision.outcome == "forced"
    assert registry.version_of(CHAMPION) == version
    written = mlflow.artifacts.load_dict(f"runs:/{registry.run_of(version)}/gate.json")
    assert "halides" in written["words"]


def test_the_champion_is_not_compared_with_itself(champion, rows):
    assert promote(rows, POLICY, champion).outcome == "unchanged"


def test_an_unknown_version_names_those_that_there_are(champion, rows):
    with pytest.raises(DataUnavailable, match=r"no version 999 .*it has: 1"):
        promote(rows, POLICY, "999")


def test_a_champion_that_came_in_between_is_not_replaced_unseen(champion, another, rows, relaxed):
    version, between = another(), another()
    report = judge(version, champion, rows, relaxed)
    registry.make_champion(between)  # another machine was quicker
    with pytest.raises(NotPromoted, match=f"{between} became champion while {version}"):
        decide(version, champion, report)
    assert registry.version_of(CHAMPION) == between


def test_there_is_no_way_back_from_the_first(champion, monkeypatch):
    monkeypatch.setattr(registry, "previous_version", lambda name="": None)
    with pytest.raises(NotPromoted, match="none to go back to"):
        registry.rollback()


class Killed(BaseException):
    """Stands in for a kill: nothing may catch it and tidy up."""


@pytest.mark.parametrize("step", range(4))
def test_a_kill_between_any_two_steps_leaves_a_working_champion(champion, another, monkeypatch, step):
    version = another()
    taken = 0

    def counted(method):
        def wrapped(*arguments, **named):
            nonlocal taken
            if taken == step:
                raise Killed
            taken += 1
            return method(*arguments, **named)

        return wrapped

    changes = ("set_registered_model_alias", "set_model_version_tag", "delete_registered_model_alias")
    with monkeypatch.context() as patch:
        for name in changes:
            patch.setattr(mlflow.MlflowClient, name, counted(getattr(mlflow.MlflowClient, name)))
        with pytest.raises(Killed):
            registry.make_champion(version)
    answering = registry.version_of(CHAMPION)
    assert answering in (champion, version)
    registry.load_registered("models:/conductivity@champion")
    if answering == version:  # the way back is known although the alias may be late
        assert registry.previous_version() == champion
    registry.make_champion(version)  # the command run again
    assert (registry.version_of(CHAMPION), registry.version_of(PREVIOUS)) == (version, champion)
    assert registry.version_of(CHALLENGER) is None
    assert registry.rollback() == (version, champion)


def test_weights_that_cannot_be_loaded_never_become_champion(champion, another, monkeypatch):
    version = another()

    def broken(uri):
        raise DataUnavailable("gone")

    monkeypatch.setattr(registry, "load_registered", broken)
    with pytest.raises(DataUnavailable):
        registry.make_champion(version)
    assert registry.version_of(CHAMPION) == champion
