"""The command line: `ionscout COMMAND`. One file per group of commands; each has `register(app)`."""

import os
import sys

import typer

from ionscout.datasets.errors import IonscoutError
from ionscout.serving.cli import (
    campaign,
    data,
    dopants,
    monitor,
    predict,
    promotion,
    screen,
    screening,
    search,
    serve,
    thermodynamics,
    training,
)

app = typer.Typer(
    name="ionscout",
    help="Conductivity, voltage window, interfaces and dopants of lithium solid electrolytes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

GROUPS = (
    predict,
    thermodynamics,
    dopants,
    campaign,
    screen,
    screening,
    monitor,
    data,
    serve,
    training,
    search,
    promotion,
)
for group in GROUPS:
    group.register(app)


@app.callback()
def ionscout() -> None:
    """Conductivity, voltage window, interfaces and dopants of lithium solid electrolytes."""


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 the asked-for thing failed (one line on stderr), 2 wrong usage."""
    _quieten()
    try:
        app()
    except IonscoutError as error:
        fail(str(error))
    except BrokenPipeError:  # the reader of a pipe went away, e.g. `ionscout … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except Exception as error:
        if os.environ.get("IONSCOUT_DEBUG"):
            raise
        fail(f"{type(error).__name__}: {error} (a defect of ionscout; IONSCOUT_DEBUG=1 shows where)")


def fail(message: str) -> None:
    """Print one line on stderr and leave with exit code 1."""
    print_error(message)
    raise SystemExit(1)


def print_error(message: str) -> None:
    print("error: " + " ".join(message.encode(errors="replace").decode(errors="replace").split()), file=sys.stderr)


def _quieten() -> None:
    """No library warnings between the answer and the user; what matters is in the answer's own warnings."""
    import warnings

    os.environ.setdefault("PYTHONWARNINGS", "ignore")  # for child processes
    warnings.filterwarnings("ignore")
