"""`ionscout serve`: run the HTTP service in the foreground."""

import contextlib
import signal
import subprocess
from typing import Annotated

import typer

from ionscout.datasets.errors import IonscoutError


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 3000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; each holds its own copy of the models.")] = 1,
) -> None:
    """Serve the models over HTTP until interrupted. API page: http://HOST:PORT/docs.json

    SIGUSR1 to this process makes it look at once whether IONSCOUT_MODEL_URI names another version.
    """
    from ionscout.serving.launch import ask_to_look, failure_of, service_home, start, stop

    address = "127.0.0.1" if host == "localhost" else host  # BentoML takes addresses only
    _check_free(address, port)
    with service_home() as home:
        # Not SIGHUP, which a closed terminal sends and which then must end the service.
        signal.signal(signal.SIGUSR1, lambda *_: ask_to_look(home))
        process = start(address, port, home, workers)
        # A supervisor stops the service by SIGTERM to this process; the child must not outlive it.
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = None
        try:
            while code is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(0.5)
                if reason := failure_of(home):
                    raise IonscoutError(reason)
        except KeyboardInterrupt:  # the terminal has interrupted the child too
            return
        finally:
            stop(process)
    if code not in (0, -signal.SIGTERM, -signal.SIGINT):
        raise IonscoutError(f"The service ended with code {code}; its log above says why.")


def _check_free(host: str, port: int) -> None:
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise IonscoutError(
                f"Cannot listen on {host}:{port} ({reason}); choose another --host or --port."
            ) from None
