"""`ionscout screen --engine ray` on a local cluster; needs the extra `ionscout[ray]`."""

import subprocess

import pytest
from screens import COMMAND, FORMULAS, HULL, Killed, in_process, kill_before, write_lines

from ionscout.datasets.errors import BadData
from ionscout.serving.screen import ScreenOptions, screen
from ionscout.serving.screen.options import Identity
from ionscout.serving.screen.rows import Row, Shard

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
