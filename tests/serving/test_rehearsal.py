"""The whole loop with real processes: observations over HTTP, kill -9 in every stage, gate, service, rollback."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from ionscout.datasets.errors import UnknownName
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.serving.cli import app
from ionscout.serving.rehearsal import kills, questions
from ionscout.serving.rehearsal.challengers import Judged, SeedPair, by_size, half, shuffled, without
from ionscout.serving.rehearsal.page import markdown
from ionscout.serving.rehearsal.plan import Plan, full, reduced
from ionscout.serving.rehearsal.run import Rehearsal, rehearse
from ionscout.training.conductivity import TrainingData
from ionscout.training.promotion.predictions import publication_hash
from ionscout.training.retraining.pipeline import STAGES


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Seconds a fit; the gate only has to come to a decision."""
    base = reduced()
    small = {"folds": 2, "epochs": 1, "network": NetworkConfig(width=8, head=16, crystal_layers=1)}
    changes = {
        "accuracy": {"margin": 9.0},
        "families": {"margin": 9.0, "worst": 9.0},
        "calibration": {"coverage": (0.0, 1.0), "width_ratio": 9.0},
        "physics": {"tolerance": 9.0, "materials": 1, "temperatures": (300.0, 350.0)},
    }
    parts = {name: getattr(base.policy, name).model_copy(update=values) for name, values in changes.items()}
    return replace(
        base, config=base.config.model_copy(update=small), policy=base.policy.model_copy(update={**parts, "draws": 400})
    )


def test_killed_in_every_stage_it_goes_on_and_the_service_follows_champion_and_rollback(plan, tmp_path, monkeypatch):
    monkeypatch.setitem(kills.INTO, "fit", 1.0)
    monkeypatch.setattr(questions, "PAUSE", 2.0)
    found = rehearse(plan, ("loop",), tmp_path, observations=10)
    loop = found.loop
    assert [kill.stage for kill in loop.kills] == list(STAGES)
    for number, kill in enumerate(loop.kills):
        assert kill.finished[:number] == STAGES[:number]  # what was finished before it began is never lost
        assert kill.model in (loop.first, loop.challenger)
        assert kill.model == loop.first or kill.stage == "decide"  # nothing unjudged answers
    assert set(loop.resumed) >= set(STAGES[:-1])
    assert loop.outcome == "promoted", loop.words
    assert len(loop.seconds_to_serve) == 2  # the new champion, and the old one after the rollback
    assert any(seconds > 0 for seconds in loop.seconds_to_serve)
    assert loop.answered > 0
    assert (loop.dropped, loop.mixed) == (0, 0)
    assert not found.faults
    assert "killed in decide" in markdown(found, "this test")


@pytest.fixture(scope="module")
def data() -> TrainingData:
    from ionscout.datasets.sources.embedded import Embedded

    return TrainingData(Embedded().load(), [], "embedded")


def test_challengers_are_what_their_names_say(data):
    fewer = half(data, 0)
    kept = {publication_hash(m) for m in fewer.main}
    assert len(kept) == len({publication_hash(m) for m in data.main}) // 2
    assert [m for m in data.main if publication_hash(m) in kept] == fewer.main
    mixed = shuffled(data, 0).main
    assert [m.id for m in mixed] == [m.id for m in data.main]
    assert sorted(m.log10_conductivity for m in mixed) == sorted(m.log10_conductivity for m in data.main)
    assert sum(a.log10_conductivity != b.log10_conductivity for a, b in zip(mixed, data.main, strict=True)) > 50
    sizes = by_size(data, 5)
    assert [count for _, count in sizes] == sorted((count for _, count in sizes), reverse=True)
    assert min(count for _, count in sizes) >= 5
    family = sizes[-1][0]
    assert {m.family for m in data.main} - {m.family for m in without(data, family).main} == {family}


def test_a_wrong_outcome_or_a_wrong_reason_is_a_fault():
    right = Judged("shuffled", "refused", "accuracy", "refused", ("accuracy", "width"), "Refused.")
    passed = replace(right, outcome="promoted", failed=())
    other = replace(right, failed=("latency",))
    found = Rehearsal("plan", "rows", (), None, (right, passed, other), True, False, None)
    assert len(found.faults) == 3
    assert "two trainings with one seed differ" in found.faults
    assert "Faults" in markdown(found, "this test")


def test_two_seeds_are_reported_beside_the_margin():
    pair = SeedPair(400, (0.03, 0.05), 0.08, (), ("there", "and back"))
    assert "+0.030 and, the other way, +0.050" in markdown(Rehearsal("p", "r", (), None, (), None, None, pair), "c")


def test_the_full_plan_changes_nothing_that_is_shipped():
    from ionscout.training.config import ConductivityConfig, read_config
    from ionscout.training.promotion.policy import read_policy

    assert full().config == read_config(ConductivityConfig, None, "conductivity")
    assert full().policy == read_policy()


def test_an_unknown_part_is_named_with_those_that_there_are():
    found = CliRunner().invoke(app, ["benchmark", "retraining", "--part", "everything"])
    assert isinstance(found.exception, UnknownName)
    assert "loop, challengers, seeds" in str(found.exception)
