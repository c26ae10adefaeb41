"""`ionscout screen --engine ray` on a local cluster; needs the extra `ionscout[ray]`."""

import json
import subprocess
import time

import psutil
import pytest
from screens import COMMAND, FORMULAS, HULL, Killed, in_process, kill_before, write_lines

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.serving.screen import ScreenOptions, screen
from ionscout.serving.screen.options import Identity
from ionscout.serving.screen.rows import Row, Shard
from ionscout.serving.screen.store import Store

ray = pytest.importorskip("ray")
OPTIONS = ScreenOptions(("conductivity", "stability"), hull=HULL, shard_rows=3)


@pytest.fixture(scope="module")
def engine():
    from ionscout.serving.screen.ray_engine import RayEngine

    with RayEngine(OPTIONS, 2, None) as running:
        yield running


def assert_same_as_local(source, folder, monkeypatch):
    """`ray.jsonl` and its bad rows are what a screen without Ray writes."""
    in_process(monkeypatch)
    screen(source, folder / "local.jsonl", OPTIONS)
    for suffix in (".jsonl", ".jsonl.bad.jsonl"):
        assert (folder / f"ray{suffix}").read_bytes() == (folder / f"local{suffix}").read_bytes()


def test_ray_gives_the_same_bytes(engine, tmp_path, monkeypatch):
    source = write_lines(tmp_path / "in.jsonl", [{"id": f, "formula": f} for f in (*FORMULAS, "NaCl", "Li6Qq")])
    screen(source, tmp_path / "ray.jsonl", OPTIONS, engine="ray", workers=2)
    assert_same_as_local(source, tmp_path, monkeypatch)


def test_a_killed_screen_goes_on_through_ray_with_the_same_bytes(engine, tmp_path, monkeypatch):
    source = write_lines(tmp_path / "in.jsonl", [{"id": f, "formula": f} for f in (*FORMULAS, "NaCl", "Li6Qq")])
    with monkeypatch.context() as patch:
        kill_before(3, patch)  # the manifest and two shards are written
        with pytest.raises(Killed):
            screen(source, tmp_path / "ray.jsonl", OPTIONS, engine="ray", workers=2)
    assert not (tmp_path / "ray.jsonl").exists()
    assert screen(source, tmp_path / "ray.jsonl", OPTIONS, engine="ray", workers=2).resumed == 2
    assert_same_as_local(source, tmp_path, monkeypatch)


def test_a_node_with_another_model_refuses(engine):
    rows = (Row(0, "a", "Li2O", "formula"),)
    with pytest.raises(BadData, match="was begun with conductivity other"):
        list(engine.score([Shard(0, rows)], Identity("conductivity other", "")))


def test_an_input_that_breaks_half_way_is_reported(engine):
    def rows():
        yield Shard(0, (Row(0, "a", "Li2O", "formula"),))
        raise BadData("The archive is damaged.")

    with pytest.raises(BadData, match="archive is damaged"):
        list(engine.score(rows(), engine.identify()))


def test_errors_of_an_actor_are_what_they_were(engine):
    from ionscout.serving.screen.ray_engine import RayEngine

    with (
        RayEngine(ScreenOptions(("stability",), hull="mp-api"), 1, None) as without_key,
        pytest.raises(DataUnavailable, match="hull mp-api"),
    ):
        without_key.identify()


def test_one_pool_of_actors_says_who_answers_and_answers(engine, monkeypatch):
    from ionscout.serving.screen import ray_engine

    pools = []
    real = ray_engine._Pipeline
    monkeypatch.setattr(ray_engine, "_Pipeline", lambda *args: pools.append(real(*args)) or pools[-1])
    shards = [Shard(n, (Row(n, "a", formula, "formula"),)) for n, formula in enumerate(FORMULAS[:4])]
    found = list(engine.score(iter(shards), engine.identify()))
    assert sorted((number, rows) for number, rows, _ in found) == [(n, 1) for n in range(4)]
    assert len(pools) == 1  # or every screen would load one more model


def test_kill_9_of_a_screen_through_ray_ends_its_actors_and_changes_no_byte(tmp_path, monkeypatch):
    formulas = [f"Li{a}La{b}Cl{a + 3 * b}" for a in range(1, 21) for b in range(1, 11)]
    source = write_lines(tmp_path / "in.jsonl", [{"formula": f} for f in [*formulas, "NaCl"]])
    options = ["--predictions", "window,interphase", "--hull", HULL, "--shard-rows", "8", "--json"]
    command = [*COMMAND, source, tmp_path / "ray.jsonl", *options, "--engine", "ray", "--workers", "1"]
    store = Store(tmp_path / "ray.jsonl")
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 150
    while not store.path(1).exists():
        assert started.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    children = psutil.Process(started.pid).children(recursive=True)
    actors = [child for child in children if "ShardActor" in " ".join(child.cmdline())]
    started.kill()
    started.wait()
    assert len(actors) == 1
    _, alive = psutil.wait_procs(actors, timeout=60)  # Ray's own small agents give up after a minute
    assert not alive, "actors outlive their killed screen"
    assert not (tmp_path / "ray.jsonl").exists()
    again = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["resumed"] >= 2
    in_process(monkeypatch)
    screen(source, tmp_path / "local.jsonl", ScreenOptions(("window", "interphase"), hull=HULL, shard_rows=8))
    for suffix in (".jsonl", ".jsonl.bad.jsonl"):
        assert (tmp_path / f"ray{suffix}").read_bytes() == (tmp_path / f"local{suffix}").read_bytes()


def test_a_cluster_at_an_address_does_the_same(tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    source = write_lines(tmp_path / "in.jsonl", [{"id": f, "formula": f} for f in FORMULAS[:5]])
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100_000_000},
    )
    try:
        options = ["--predictions", "stability", "--hull", HULL, "--workers", "1", "--engine", "ray"]
        done = subprocess.run(
            [*COMMAND, source, tmp_path / "ray.jsonl", *options, "--ray-address", cluster.address],
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
    finally:
        cluster.shutdown()
    in_process(monkeypatch)
    screen(source, tmp_path / "local.jsonl", ScreenOptions(("stability",), hull=HULL))
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()
