"""Starting and stopping the service: only what was started is stopped, and a failed start says why."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ionscout.serving import launch
from ionscout.serving.launch import ServiceFailed, free_port, running_server, stop


def test_a_service_that_cannot_start_gives_the_end_of_its_log(monkeypatch):
    monkeypatch.setattr(
        launch, "server_command", lambda host, port: [sys.executable, "-c", "import sys; print('boom'); sys.exit(3)"]
    )
    with pytest.raises(ServiceFailed, match="code 3") as failed, running_server():
        pass
    assert "boom" in failed.value.log


def test_a_model_that_does_not_load_is_named_at_once_and_not_tried_for_ever(monkeypatch, tmp_path):
    monkeypatch.setenv("IONSCOUT_HOME", str(tmp_path))
    monkeypatch.setenv("IONSCOUT_MODEL_URI", "models:/nobody@champion")
    with pytest.raises(ServiceFailed, match="models:/nobody@champion"), running_server():
        pass


def test_a_service_that_never_gets_ready_is_stopped(monkeypatch):
    started = []
    monkeypatch.setattr(
        launch, "server_command", lambda host, port: [sys.executable, "-c", "import time; time.sleep(60)"]
    )
    original = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **kwargs: started.append(original(*args, **kwargs)) or started[-1]
    )
    with pytest.raises(ServiceFailed, match="not ready"), running_server(seconds=0.5):
        pass
    assert started[0].poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_the_service_ends_when_the_process_that_started_it_is_killed():
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from ionscout.serving import launch\n"
        "launch.server_command = lambda host, port: [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "print(launch.start('127.0.0.1', 1, Path('.')).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while alive(child):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)


def alive(pid):
    """Whether a process runs; one that ended but was not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_stop_ends_a_process_that_ignores_the_request():
    deaf = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal, time; signal.signal(15, signal.SIG_IGN); print('x', flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
    )
    assert deaf.stdout is not None
    deaf.stdout.read(1)
    stop(deaf, seconds=0.3)
    assert deaf.poll() is not None
    deaf.stdout.close()


def test_a_free_port_can_be_listened_on():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free_port()))
