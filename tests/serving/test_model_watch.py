"""A running service follows the alias: loaded beside, swapped whole, no request dropped, no answer of two versions."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import httpx
import pytest

from ionscout.datasets.errors import BadData
from ionscout.datasets.settings import settings
from ionscout.serving.model_watch import ModelWatch
from ionscout.training import registry

URI = "models:/conductivity@champion"


@pytest.fixture
def versions(monkeypatch):
    """A registry that answers what the test says."""
    state = SimpleNamespace(now="1", broken=set(), loaded=[])

    def load(uri):
        number = uri.rsplit("/", 1)[1]
        broken = number in state.broken  # before the test sees that it was asked, and mends it
        state.loaded.append(number)
        if broken:
            raise BadData("damaged")
        return SimpleNamespace(version=number)

    monkeypatch.setattr("ionscout.training.tracking.use_record", lambda: "")
    monkeypatch.setattr(registry, "version_of", lambda alias, name="": state.now)
    monkeypatch.setattr(registry, "load_registered", load)
    return state


def wait_until(done, seconds=5.0):
    """Give a thread some time; what it has done is for the test to check."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_moved_alias_is_loaded_once_and_handed_over(versions):
    got = []
    watch = ModelWatch(URI, 1.0, got.append)
    assert not watch.look()
    versions.now = "2"
    assert watch.look()
    assert not watch.look()
    assert [model.version for model in got] == ["2"]


def test_a_version_that_does_not_load_is_tried_once_and_the_next_one_is_taken(versions):
    got = []
    watch = ModelWatch(URI, 1.0, got.append)
    versions.now, versions.broken = "2", {"2"}
    with pytest.raises(BadData):
        watch.look()
    assert not watch.look()
    assert versions.loaded == ["2"]
    versions.now = "3"
    assert watch.look()
    assert [model.version for model in got] == ["3"]


def test_an_alias_that_vanished_changes_nothing(versions):
    got = []
    watch = ModelWatch(URI, 1.0, got.append)
    versions.now = None
    assert not watch.look()
    assert not got


@pytest.mark.parametrize(("uri", "seconds"), [(None, 1.0), ("models:/conductivity/3", 1.0), (URI, 0.0)])
def test_what_cannot_move_is_not_watched(versions, uri, seconds):
    assert not ModelWatch(uri, seconds, print).watches


def test_the_thread_survives_a_registry_that_fails(versions, monkeypatch):
    got = []
    watch = ModelWatch(URI, 0.01, got.append)
    calls = []

    def fails(alias, name=""):
        calls.append(1)
        if len(calls) < 3:
            raise OSError("no answer")
        return "2"

    monkeypatch.setattr(registry, "version_of", fails)
    watch.start()
    wait_until(lambda: got)
    watch.stop()
    assert [model.version for model in got] == ["2"]


def test_a_touched_file_makes_it_look_at_once_and_a_broken_version_again(versions, tmp_path):
    got, asked = [], tmp_path / "look"
    watch = ModelWatch(URI, 0.0, got.append, asked)
    assert watch.watches
    versions.now, versions.broken = "2", {"2"}
    watch.start()
    for loads, broken in ((1, {"2"}), (2, set())):
        versions.broken = broken
        asked.touch()
        wait_until(lambda loads=loads: len(versions.loaded) >= loads)
        assert versions.loaded == ["2"] * loads
    time.sleep(0.1)
    watch.stop()
    assert [model.version for model in got] == ["2"]


def test_a_wish_from_before_the_thread_began_is_heard(versions, tmp_path):
    got, asked = [], tmp_path / "look"
    watch = ModelWatch(URI, 0.0, got.append, asked)
    versions.now = "2"
    asked.touch()
    watch.start()
    wait_until(lambda: got)
    watch.stop()
    assert [model.version for model in got] == ["2"]


@pytest.fixture(scope="module")
def trained_twice(tmp_path_factory):
    """A record with two versions of one small model: (numbers in the registry, versions of the weights)."""
    import torch

    from ionscout.datasets.sources.embedded import Embedded
    from ionscout.models.conductivity.network import NetworkConfig
    from ionscout.training.conductivity import TrainingData, train
    from ionscout.training.config import ConductivityConfig, read_config
    from ionscout.training.tracking import run

    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IONSCOUT_HOME", str(home))
        patch.setenv("IONSCOUT_MODEL_URI", URI)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        settings.cache_clear()
        small = {"members": 1, "folds": 2, "epochs": 1, "workers": 1, "network": NetworkConfig(width=8, head=16)}
        config = read_config(ConductivityConfig, None, "conductivity").model_copy(update=small)
        first = train(TrainingData(Embedded().load()[:60], [], "embedded"), config)
        other = registry.load_registered(URI)
        with torch.no_grad():
            next(other.ensemble.parameters()).add_(0.5)
        with run("conductivity", "second", {}):
            other.save(home / "weights")
            second = registry.register(home / "weights", other.card)
        yield ("1", second), (first.version, other.version)
    settings.cache_clear()


@pytest.fixture
def two_versions(trained_twice):
    """Those, with the first one champion."""
    registry.set_alias(registry.CHAMPION, "1")
    return trained_twice[0][1], trained_twice[1]


def test_eight_clients_see_no_failure_and_no_mixture_while_the_champion_changes(two_versions, monkeypatch):
    from ionscout.serving.launch import running_server

    monkeypatch.setenv("IONSCOUT_MODEL_POLL_SECONDS", "0.5")
    second, (old, new) = two_versions
    body = [{"formula": formula, "thermodynamics": False} for formula in ("Li6PS5Cl", "Li3PS4", "LiCoO2")]
    answers: list[tuple[int, set[str]]] = []
    over = threading.Event()

    def client(url: str) -> None:
        with httpx.Client(timeout=60) as http:
            while not over.is_set():
                found = http.post(f"{url}/predict", json=body)
                seen = {p["conductivity"]["version"] for p in found.json()} if found.status_code == 200 else set()
                answers.append((found.status_code, seen))

    with running_server() as server:
        assert httpx.get(f"{server.url}/models").json()["models"][0]["version"] == old
        threads = [threading.Thread(target=client, args=(server.url,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(2)
            registry.make_champion(second)
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline:
                if httpx.get(f"{server.url}/models", timeout=60).json()["models"][0]["version"] == new:
                    break
                time.sleep(0.3)
            time.sleep(2)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert httpx.get(f"{server.url}/models").json()["models"][0]["version"] == new
    assert {status for status, _ in answers} == {200}
    assert all(len(seen) == 1 for _, seen in answers)
    assert {frozenset(seen) for _, seen in answers} == {frozenset({old}), frozenset({new})}


def test_a_signal_makes_the_command_look_at_once_without_any_polling(two_versions, monkeypatch):
    from ionscout.serving.launch import free_port, stop

    monkeypatch.setenv("IONSCOUT_MODEL_POLL_SECONDS", "0")
    second, (old, new) = two_versions
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-c", "from ionscout.serving.cli import main; main()", "serve", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answering(*expected: str | None, seconds: float) -> str | None:
        deadline, seen = time.monotonic() + seconds, None
        while seen not in expected and time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                seen = httpx.get(f"{url}/models", timeout=60).json()["models"][0]["version"]
            time.sleep(0.1)
        return seen

    try:
        assert answering(old, seconds=120) == old
        registry.make_champion(second)
        assert answering(new, seconds=2) == old
        process.send_signal(signal.SIGUSR1)
        assert answering(new, seconds=60) == new
    finally:
        stop(process)
