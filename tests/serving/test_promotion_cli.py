"""The command line of promotion: exit codes and words, with the work itself replaced."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from ionscout.datasets.errors import UnknownName
from ionscout.serving.cli import app, promotion
from ionscout.training.promotion.decide import Decision
from ionscout.training.promotion.report import GateReport, GateTest

REFUSED = GateReport((GateTest("accuracy", False, "mean error 2.0, failed by 0.4", 0.5, 0.1, -0.4),), False, True, 9, 3)


@pytest.fixture
def ask(monkeypatch):
    """Runs a command with a decision that the test chooses."""
    monkeypatch.setattr(promotion, "_snapshot", lambda *a, **k: SimpleNamespace(judged=[], policy=None, kept_back=()))

    def run(decision: Decision, *arguments: str):
        monkeypatch.setattr("ionscout.training.promotion.decide.promote", lambda *a: decision)
        return CliRunner().invoke(app, [*arguments])

    return run


def test_a_refusal_says_which_test_failed_and_leaves_with_3_which_is_no_error(ask):
    found = ask(Decision("refused", "2", "1", REFUSED.words, REFUSED), "promote", "conductivity")
    assert found.exit_code == 3
    assert "FAIL  accuracy" in found.stdout
    assert "failed by 0.4" in found.stdout


def test_a_promotion_leaves_with_0_and_json_is_nothing_else(ask):
    found = ask(Decision("promoted", "2", "1", "Version 2 is champion."), "promote", "conductivity", "--json")
    assert found.exit_code == 0
    assert json.loads(found.stdout)["outcome"] == "promoted"


@pytest.mark.parametrize("command", ["retrain", "promote", "rollback"])
def test_an_unknown_model_is_named_with_those_that_there_are(command):
    found = CliRunner().invoke(app, [command, "energies"])
    assert isinstance(found.exception, UnknownName)
    assert "conductivity" in str(found.exception)
