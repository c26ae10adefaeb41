"""Starts the service as a child process and stops that process, and only that one."""

import collections
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ionscout.datasets.errors import IonscoutError

SERVICE = "ionscout.serving.service:IonScout"
SECONDS_TO_START = 120.0  # importing torch and pymatgen on a cold disk takes up to a minute
SECONDS_TO_STOP = 15.0
LOG_LINES = 200
FAILURE = "IONSCOUT_FAILURE_FILE"  # where a worker says why it cannot start; BentoML would start it again for ever
LOOK = "IONSCOUT_LOOK_FILE"  # touched when workers shall look for a new champion: they are grandchildren, and their
# supervisor takes signals for itself


class ServiceFailed(IonscoutError):
    """The child process did not start, or ended early; `log` holds its last lines."""

    title = "Service failed"

    def __init__(self, message: str, log: str) -> None:
        super().__init__(message)
        self.log = log


@dataclass
class RunningServer:
    """A service started by this process. `url` answers until the process is stopped."""

    url: str
    process: subprocess.Popen
    lines: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=LOG_LINES))

    @property
    def log(self) -> str:
        """The last lines the service printed."""
        return "".join(self.lines)


def server_command(host: str, port: int) -> list[str]:
    return [sys.executable, "-m", "bentoml", "serve", SERVICE, "--host", host, "--port", str(port)]


def server_environment(home: Path, workers: int = 1) -> dict[str, str]:
    """The environment of the child: BentoML keeps its files in `home`, and no telemetry leaves the machine."""
    return {
        **os.environ,
        "BENTOML_HOME": str(home / "bentoml"),
        "PROMETHEUS_MULTIPROC_DIR": str(home / "metrics"),
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "IONSCOUT_WORKERS": str(workers),
        FAILURE: str(home / "failure.txt"),
        LOOK: str(home / "look"),
        # numpy and torch would each start a thread per core in every request thread
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }


def start(host: str, port: int, home: Path, workers: int = 1, captured: bool = False) -> subprocess.Popen:
    """Start the service; its output goes where this process' goes, or into a pipe when `captured`."""
    return subprocess.Popen(
        server_command(host, port),
        cwd=home,  # BentoML puts its working folder on the import path: keep it empty
        env=server_environment(home, workers),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if captured else None,
        stderr=subprocess.STDOUT if captured else None,
        text=True,
        errors="replace",
        preexec_fn=_end_with_parent if _LIBC is not None else None,
    )


# On Linux the kernel stops the service when this process is killed and cannot do it itself.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def service_home() -> Iterator[Path]:
    """A folder for BentoML's working files that goes away afterwards, so that none land in the user's home."""
    home = Path(tempfile.mkdtemp(prefix="ionscout-serve-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    """A port on the loopback address that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def give_up(error: IonscoutError) -> None:
    """Called by a worker that cannot load its models: tell the process that launched it, and end.

    Returns when nobody launched it this way; then the caller raises.
    """
    if path := os.environ.get(FAILURE):
        Path(path).write_text(str(error), encoding="utf-8")
        os._exit(1)


def ask_to_look(home: Path) -> None:
    """Let every worker look now whether its model address names another version."""
    (home / "look").touch()


def failure_of(home: Path) -> str | None:
    """Why a worker gave up, or None."""
    path = home / "failure.txt"
    return path.read_text(encoding="utf-8") if path.exists() else None


@contextlib.contextmanager
def running_server(port: int | None = None, seconds: float = SECONDS_TO_START) -> Iterator[RunningServer]:
    """Run the service on the loopback address until the block ends.

    Raises:
        ServiceFailed: when `/readyz` does not answer within `seconds`; carries the end of the log.
    """
    port = port or free_port()
    with service_home() as home:
        process = start("127.0.0.1", port, home, captured=True)
        server = RunningServer(f"http://127.0.0.1:{port}", process)
        threading.Thread(target=_drain, args=(server,), daemon=True).start()
        try:
            _wait_until_ready(server, home, seconds)
            yield server
        finally:
            stop(process)


def stop(process: subprocess.Popen, seconds: float = SECONDS_TO_STOP) -> None:
    """Ask the process to end, wait, and end it by force if it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _drain(server: RunningServer) -> None:
    """Keep reading, or the child would block on a full pipe."""
    assert server.process.stdout is not None
    for line in server.process.stdout:
        server.lines.append(line)


def _wait_until_ready(server: RunningServer, home: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if reason := failure_of(home):
            raise ServiceFailed(reason, server.log)
        if server.process.poll() is not None:
            time.sleep(0.2)  # lets the reader thread take the last lines
            raise ServiceFailed(f"The service ended with code {server.process.returncode} on start.", server.log)
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{server.url}/readyz", timeout=2).status_code == 200:
                return
        time.sleep(0.2)
    raise ServiceFailed(f"The service was not ready within {seconds:.0f} s.", server.log)
