"""A screen that is killed goes on and writes the same bytes; one that was asked something else refuses."""

import json
import os
import signal
import subprocess
import time

import psutil
import pytest
from screens import COMMAND, FORMULAS, HULL, Killed, in_process, kill_before, read_lines, write_lines

from ionscout.datasets.errors import BadData
from ionscout.serving.screen import ScreenOptions, screen
from ionscout.serving.screen.options import ScreenStopped
from ionscout.serving.screen.store import Store

STABILITY = ScreenOptions(("stability",), hull=HULL, shard_rows=5)


@pytest.fixture
def here(monkeypatch):
    in_process(monkeypatch)


@pytest.fixture
def source(tmp_path):
    formulas = [*FORMULAS, "NaCl", "Li6Qq", "LiF", "LiI", "Li3N", "Li3P", "Li2S"]
    return write_lines(tmp_path / "in.jsonl", [{"id": f, "formula": f} for f in formulas])


def outputs(folder):
    return (folder / "out.jsonl").read_bytes(), (folder / "out.jsonl.bad.jsonl").read_bytes()


def files(folder):
    return {path.name for path in folder.iterdir()}


def test_a_kill_at_any_write_changes_no_byte(here, source, tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    screen(source, whole / "out.jsonl", STABILITY)
    for moment in range(50):
        folder = tmp_path / f"killed-{moment}"
        try:
            with monkeypatch.context() as patch:
                kill_before(moment, patch)
                screen(source, folder / "out.jsonl", STABILITY)
        except Killed:
            summary = screen(source, folder / "out.jsonl", STABILITY)
            assert summary.resumed == max(0, min(moment - 1, summary.shards))
        else:
            break
        assert outputs(folder) == outputs(whole)
        assert files(folder) == files(whole)
    assert moment > 5  # manifest, four shards, two outputs, manifest


def test_a_kill_between_the_last_files_changes_no_byte(here, source, tmp_path, monkeypatch):
    screen(source, tmp_path / "out.jsonl", STABILITY)
    before = outputs(tmp_path)
    (tmp_path / "out.jsonl.manifest.json").rename(tmp_path / "kept.json")
    (tmp_path / "out.jsonl").unlink()
    screen(source, tmp_path / "out.jsonl", STABILITY)  # nothing but the input is left
    assert outputs(tmp_path) == before
    monkeypatch.setattr(Store, "clear", lambda self: None)  # killed before the parts were gone
    (tmp_path / "out.jsonl").unlink()
    (tmp_path / "out.jsonl.manifest.json").unlink()
    screen(source, tmp_path / "out.jsonl", STABILITY)
    monkeypatch.undo()
    in_process(monkeypatch)
    assert (tmp_path / "out.jsonl.parts").is_dir()
    summary = screen(source, tmp_path / "out.jsonl", STABILITY)
    assert not (tmp_path / "out.jsonl.parts").exists()
    assert summary.rows_per_second is None  # nothing had to be scored
    assert outputs(tmp_path) == before


def test_a_damaged_shard_is_scored_again(here, source, tmp_path, monkeypatch):
    screen(source, tmp_path / "out.jsonl", STABILITY)
    before = outputs(tmp_path)
    (tmp_path / "out.jsonl").unlink()
    (tmp_path / "out.jsonl.manifest.json").unlink()
    monkeypatch.setattr(Store, "finish", lambda self, finished: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        screen(source, tmp_path / "out.jsonl", STABILITY)
    monkeypatch.undo()
    in_process(monkeypatch)
    store = Store(tmp_path / "out.jsonl")
    content = store.path(1).read_bytes()
    store.path(1).write_bytes(content.replace(b"Li", b"Na", 1))
    store.path(2).write_bytes(content[: len(content) // 2])
    (tmp_path / "out.jsonl").unlink()
    summary = screen(source, tmp_path / "out.jsonl", STABILITY)
    assert summary.resumed == summary.shards - 2
    assert outputs(tmp_path) == before


def delete_side_file(folder):
    (folder / "out.jsonl.bad.jsonl").unlink()


def damage_side_file(folder):
    damage(folder / "out.jsonl.bad.jsonl")


def damage_output(folder):
    damage(folder / "out.jsonl")


def damage(path):
    """One byte; the size stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def forget_side_file(folder):
    """The manifest as versions before wrote it."""
    path = folder / "out.jsonl.manifest.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in written.items() if not key.startswith("side_")}))


@pytest.mark.parametrize("harm", [delete_side_file, damage_side_file, damage_output, forget_side_file])
def test_a_finished_screen_that_was_harmed_is_restored(here, source, tmp_path, harm):
    screen(source, tmp_path / "out.jsonl", STABILITY)
    before, manifest = outputs(tmp_path), (tmp_path / "out.jsonl.manifest.json").read_bytes()
    assert before[1]  # there are bad rows to lose
    harm(tmp_path)
    assert screen(source, tmp_path / "out.jsonl", STABILITY).rows_per_second is not None  # scored again
    assert outputs(tmp_path) == before
    assert (tmp_path / "out.jsonl.manifest.json").read_bytes() == manifest
    assert screen(source, tmp_path / "out.jsonl", STABILITY).rows_per_second is None  # believed


def test_an_empty_side_file_is_restored_without_scoring(here, tmp_path):
    source = write_lines(tmp_path / "in.jsonl", [{"formula": f} for f in ("Li2O", "LiF")])
    screen(source, tmp_path / "out.jsonl", STABILITY)
    before = outputs(tmp_path)
    delete_side_file(tmp_path)
    assert screen(source, tmp_path / "out.jsonl", STABILITY).rows_per_second is None
    assert outputs(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"temperature_K": 400.0}, "temperature"),
        ({"kind": "bulk"}, "kind of conductivity"),
        ({"shard_rows": 4}, "rows per shard"),
        ({"predictions": ("stability", "window")}, "predictions"),
    ],
)
def test_a_resume_with_other_options_is_refused(here, source, tmp_path, monkeypatch, change, word):
    asked = {"predictions": ("stability",), "hull": HULL, "shard_rows": 5}
    with monkeypatch.context() as patch:
        patch.setattr(Store, "finish", lambda self, finished: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            screen(source, tmp_path / "out.jsonl", ScreenOptions(**asked))
    with pytest.raises(BadData, match=word) as caught:
        screen(source, tmp_path / "out.jsonl", ScreenOptions(**asked | change))
    assert "delete out.jsonl.parts" in str(caught.value)
    screen(source, tmp_path / "out.jsonl", ScreenOptions(**asked))
    with pytest.raises(BadData, match=word):  # finished, too
        screen(source, tmp_path / "out.jsonl", ScreenOptions(**asked | change))


def test_another_input_is_refused(here, source, tmp_path):
    screen(source, tmp_path / "out.jsonl", STABILITY)
    before = outputs(tmp_path)
    source.write_text(source.read_text().replace("Li3YCl6", "Li3YBr6"))
    with pytest.raises(BadData, match="another input"):
        screen(source, tmp_path / "out.jsonl", STABILITY)
    assert outputs(tmp_path) == before


def test_somebody_elses_file_is_not_overwritten(here, source, tmp_path):
    (tmp_path / "out.jsonl").write_text("my thesis\n")
    with pytest.raises(BadData, match="not from a screen"):
        screen(source, tmp_path / "out.jsonl", STABILITY)
    assert (tmp_path / "out.jsonl").read_text() == "my thesis\n"


def test_two_screens_cannot_write_one_file(here, source, tmp_path):
    with Store(tmp_path / "out.jsonl").locked(), pytest.raises(ScreenStopped, match="Another process"):
        screen(source, tmp_path / "out.jsonl", STABILITY)
    assert screen(source, tmp_path / "out.jsonl", STABILITY).answered > 0


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_who_opened_the_lock_before_it_was_let_go_keeps_others_out(tmp_path):
    import fcntl

    store = Store(tmp_path / "out.jsonl")
    with store.locked():
        early = (tmp_path / ".out.jsonl.lock").open("w")
    with early:
        fcntl.flock(early, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(ScreenStopped, match="Another process"), store.locked():
            pass
    with store.locked():
        pass


def descendants(process):
    return {child.pid for child in psutil.Process(process.pid).children(recursive=True)}


def test_kill_9_with_two_processes_then_one_gives_the_same_bytes(tmp_path, monkeypatch):
    formulas = [f"Li{a}La{b}Cl{a + 3 * b}" for a in range(1, 21) for b in range(1, 11)]
    source = write_lines(tmp_path / "in.jsonl", [{"formula": f} for f in [*formulas, "NaCl"]])
    options = ["--predictions", "window,interphase", "--hull", HULL, "--shard-rows", "8", "--json"]
    command = [*COMMAND, str(source), str(tmp_path / "out.jsonl"), *options]
    started = subprocess.Popen([*command, "--workers", "2"], stdout=subprocess.DEVNULL)
    store = Store(tmp_path / "out.jsonl")
    end = time.monotonic() + 90
    while not store.path(1).exists():
        assert started.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    workers = descendants(started)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert workers
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in workers):
        assert time.monotonic() < end, "workers outlive their killed parent"
        time.sleep(0.1)
    assert not (tmp_path / "out.jsonl").exists()
    again = subprocess.run([*command, "--workers", "1"], capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert '"resumed": 0' not in again.stdout
    in_process(monkeypatch)
    (tmp_path / "reference").mkdir()
    screen(
        source, tmp_path / "reference" / "out.jsonl", ScreenOptions(("window", "interphase"), hull=HULL, shard_rows=8)
    )
    assert outputs(tmp_path) == outputs(tmp_path / "reference")
    assert len(read_lines(tmp_path / "out.jsonl")) == len(formulas)


def test_ctrl_c_stops_at_once_and_says_how_to_go_on(tmp_path):
    formulas = [f"Li{a}La{b}Cl{a + 3 * b}" for a in range(1, 61) for b in range(1, 31)]
    source = write_lines(tmp_path / "in.jsonl", [{"formula": f} for f in formulas])
    command = [*COMMAND, str(source), str(tmp_path / "out.jsonl"), "--predictions", "window,interphase"]
    store = Store(tmp_path / "out.jsonl")
    process = subprocess.Popen(
        [*command, "--hull", HULL, "--shard-rows", "50", "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as a terminal does: the signal reaches the workers as well
    )
    end = time.monotonic() + 90
    while not store.path(0).exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    assert err.strip() == "stopped; the same command goes on from out.jsonl.parts"
