"""The pace of a screen: what start-up costs is told apart from what a row costs."""

import pytest

from ionscout.serving.screen import pace
from ionscout.serving.screen.pace import Pace


@pytest.fixture
def at(monkeypatch):
    """Sets the clock."""
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, 100.0 + seconds)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_in_step_have_the_pace_of_their_rounds(at, workers):
    found = Pace(workers)
    for seconds in (30, 32, 34, 36):  # half a minute of start-up, then a round of shards every two seconds
        at(seconds)
        for _ in range(workers):
            found.add(10)
    at(40)
    assert found.rows == 40 * workers
    assert found.steady == pytest.approx(5 * workers)
    assert found.seconds == 40


def test_a_screen_of_few_shards_has_no_steady_pace(at):
    found = Pace(2)
    assert found.steady is None
    for _ in range(2):
        at(3)
        found.add(10)
    assert found.steady is None
    found.add(10)  # in the same instant
    assert found.steady is None
