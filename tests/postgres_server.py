"""A PostgreSQL of the tests' own: made in a temporary folder, on a free loopback port, gone afterwards."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ionscout.serving.launch import free_port

SECONDS_TO_START = 20.0


def binaries() -> Path | None:
    """The folder that holds `initdb` and `postgres`; Debian keeps it off the path."""
    for candidate in (shutil.which("postgres"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))[::-1]):
        if candidate and (folder := Path(candidate).resolve().parent) and (folder / "initdb").exists():
            return folder
    return None


@contextlib.contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """Run a fresh server until the block ends; its URL. It refuses to run as root, so another user owns it then."""
    home = Path(tempfile.mkdtemp(prefix="ionscout-tests-postgres-"))
    user = _other_user() if os.geteuid() == 0 else None
    if user is not None:
        os.chown(home, *user)
    as_user = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(home)}
    data, port = home / "data", free_port()
    try:
        subprocess.run(
            [folder / "initdb", "-D", data, "-U", "ionscout", "-A", "trust", "-E", "UTF8", "--no-locale"],
            check=True, capture_output=True, cwd=home, env=environment, **as_user,
        )  # fmt: skip
        log = (home / "log").open("wb")
        server = subprocess.Popen(
            [folder / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port),
             "-c", "unix_socket_directories=", "-c", "fsync=off"],
            stdout=log, stderr=log, cwd=home, env=environment, **as_user,
        )  # fmt: skip
        try:
            url = f"postgresql+psycopg://ionscout@127.0.0.1:{port}/postgres"
            _wait(url, server, home / "log")
            yield url
        finally:
            server.send_signal(signal.SIGQUIT)  # "immediate shutdown": nothing has to be kept
            server.wait(30)
            log.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _other_user() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
    return 65534, 65534


def _wait(url: str, server: subprocess.Popen, log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            psycopg.connect(url.replace("+psycopg", ""), connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")) from None
            time.sleep(0.05)
