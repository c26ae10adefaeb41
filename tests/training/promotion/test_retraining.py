"""A retraining: new rows in, a decision out; killed anywhere it goes on, and equal inputs are not done twice."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.sources.base import Measurement
from ionscout.training import registry
from ionscout.training.conductivity import TrainingData
from ionscout.training.retraining import pipeline, state
from ionscout.training.retraining.pipeline import STAGES, retrain
from ionscout.training.retraining.snapshot import assemble
from ionscout.training.retraining.state import AlreadyRunning, Stages, only_one


def observed(count: int = 50) -> list[Measurement]:
    """Simulated results of a laboratory on halide-rich argyrodites."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(count):
        x = 0.01 + 0.9 * i / count
        formula = f"Li{6 - x:.3f}PS{5 - x:.3f}Cl{1 + x:.3f}"
        value = -2.6 + rng.normal(0, 0.3)
        found.append(
            Measurement(f"lab:{i}", formula, parse_formula(formula), None, value, source="campaign", reference="lab")
        )
    return found


@pytest.fixture
def snapshot(champion, rows, small, relaxed):
    return assemble(TrainingData(rows, [], "embedded"), observed(), small, relaxed)


class Killed(BaseException):
    """Stands in for a kill: nothing may catch it and tidy up."""


def test_killed_before_every_stage_was_written_it_goes_on_and_decides_once(champion, snapshot, monkeypatch):
    finish, fits = Stages.finish, []
    train = pipeline.train
    monkeypatch.setattr(pipeline, "train", lambda *a, **k: fits.append(1) or train(*a, **k))
    for stage in STAGES:

        def killed(self, name, result, stage=stage):
            if name == stage:
                raise Killed
            return finish(self, name, result)

        with monkeypatch.context() as patch:
            patch.setattr(Stages, "finish", killed)
            with pytest.raises(Killed):
                retrain(snapshot)
        registry.load_registered("models:/conductivity@champion")
    found = retrain(snapshot)
    assert found.resumed == STAGES[:-1]
    assert len(fits) == 1  # the version that was registered before the kill is found again
    assert found.decision.outcome in ("promoted", "refused")
    assert found.decision.champion == champion
    assert {"validation.json", "validation.html", "snapshot.json", "gate.json", "decision.json"} <= {
        path.name for path in found.folder.iterdir()
    }
    again = retrain(snapshot)
    assert again.resumed == STAGES
    assert again.decision == found.decision
    assert len(fits) == 1
    if found.decision.outcome == "promoted":
        assert registry.rollback() == (found.decision.version, champion)


@pytest.fixture
def decided(champion, snapshot):
    """A finished retraining, whatever came of it, made to have passed: version and champion are what matters here."""
    found = retrain(snapshot)
    if found.decision.outcome != "promoted":
        registry.make_champion(found.decision.version)
        stages = Stages(found.folder)
        stages.finish("decide", {**stages.result("decide"), "outcome": "promoted", "champion": champion})
    return found.decision.version


def test_what_was_rolled_back_is_not_promoted_again_by_the_same_inputs(champion, decided, snapshot):
    assert registry.rollback() == (decided, champion)
    found = retrain(snapshot)
    assert (found.decision.outcome, found.decision.refused) == ("rolled back", True)
    assert f"--version {decided} --force" in found.decision.words
    assert registry.version_of(registry.CHAMPION) == champion


def test_under_another_champion_a_finished_retraining_is_judged_again(champion, decided, another, snapshot):
    other = another()
    registry.make_champion(other)
    found = retrain(snapshot)
    assert found.resumed == ("validate", "snapshot", "fit")
    assert found.decision.champion == other
    registry.make_champion(champion)


def test_published_rows_keep_their_folds_and_own_rows_train_or_are_kept_back(snapshot, rows):
    assert snapshot.data.main == rows
    train, back = len(snapshot.data.extra), len(snapshot.kept_back)
    assert train + back == 50
    assert 2 <= back <= 20
    assert not {m.id for m in snapshot.data.extra} & {m.id for m in snapshot.kept_back}


def test_observations_that_a_table_holds_already_are_left_out(rows, small, relaxed):
    copy = replace(rows[0], id="copy", source="campaign")
    taken = assemble(TrainingData(rows, [], "embedded"), [copy], small, relaxed)
    assert (taken.copies, taken.data.extra, taken.kept_back) == (1, [], ())


def test_the_key_follows_rows_configuration_and_policy_and_nothing_else(snapshot, rows, small, relaxed):
    base = TrainingData(rows, [], "embedded")
    same = assemble(TrainingData(list(reversed(rows)), [], "other words"), observed(), small, relaxed)
    assert same.key == snapshot.key
    others = (
        assemble(base, observed(49), small, relaxed),
        assemble(base, observed(), small.model_copy(update={"seed": 1}), relaxed),
        assemble(base, observed(), small, relaxed.model_copy(update={"seed": 1})),
    )
    assert len({snapshot.key, *(o.key for o in others)}) == 4


def test_rows_with_errors_stop_it_before_anything_is_trained(champion, rows, small, relaxed):
    wrong = replace(observed(1)[0], id="lab:wrong", temperature_K=25.0)
    before = registry.versions()
    taken = assemble(TrainingData(rows, [], "embedded"), [wrong], small, relaxed)
    with pytest.raises(BadData, match=r"lab:wrong.*--leave-out"):
        retrain(taken)
    assert registry.versions() == before


def test_own_rows_can_be_left_out_by_name_and_others_cannot(rows, small, relaxed):
    base, own = TrainingData(rows, [], "embedded"), observed(3)
    taken = assemble(base, own, small, relaxed, [own[1].name])
    assert {m.id for m in (*taken.data.extra, *taken.kept_back)} == {own[0].id, own[2].id}
    assert taken.left_out == (own[1].name,)
    assert taken.key != assemble(base, own, small, relaxed).key
    with pytest.raises(BadData, match="No own row is named"):
        assemble(base, own, small, relaxed, [rows[0].name])


def test_two_at_once_are_refused(home):
    with only_one(home / "retraining"), pytest.raises(AlreadyRunning, match="wait"), only_one(home / "retraining"):
        pass
    with only_one(home / "retraining"):
        pass


def test_a_half_written_state_is_never_read(tmp_path, monkeypatch):
    stages = Stages(tmp_path / "x")
    stages.finish("validate", {"rows": 1})

    def power_cut(descriptor):
        raise Killed

    monkeypatch.setattr(state.os, "fsync", power_cut)
    with pytest.raises(Killed):
        stages.finish("fit", {"version": "2"})
    back = Stages(tmp_path / "x")
    assert back.result("validate") == {"rows": 1}
    assert back.result("fit") is None
    (tmp_path / "x" / "state.json").write_text(json.dumps({})[:1])
    with pytest.raises(BadData, match="start over"):
        Stages(tmp_path / "x")


def test_a_champion_without_a_table_stops_it_before_the_fit(champion, another, snapshot, monkeypatch):
    version = another(table=None)
    registry.make_champion(version)
    monkeypatch.setattr(pipeline, "train", lambda *a, **k: pytest.fail("nothing may be trained"))
    changed = replace(snapshot, policy=snapshot.policy.model_copy(update={"seed": 99}))
    with pytest.raises(DataUnavailable, match="out-of-fold table"):
        retrain(changed)
