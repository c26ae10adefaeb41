"""`make demo`: start the service, send it bundled crystals over HTTP, print and draw what it answers, stop it."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.sources.embedded import demo_crystals
from ionscout.serving.client import Client
from ionscout.serving.figures import Comparison, prediction_figure
from ionscout.serving.launch import ServiceFailed, running_server

FIGURE = Path("demo-out") / "predictions.png"


def run(figure: Path = FIGURE, console: Console | None = None) -> list[Comparison]:
    """Run the whole demo and return its rows.

    Raises:
        ServiceFailed: when the service does not start.
        IonscoutError: when a request fails.
    """
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, 120)  # a log or pipe has no width of its own
    crystals = demo_crystals()
    console.print("Starting the service on a free loopback port …")
    with running_server() as server, Client(server.url) as client:
        models = client.models().models
        console.print(f"{server.url} answers with " + ", ".join(f"{m.name} {m.version}" for m in models) + ".")
        rows = []
        for crystal in crystals:
            temperature = crystal.measurement.temperature_K
            found = client.predict(text=crystal.cif, format="cif", temperature_K=temperature).conductivity
            rows.append(
                Comparison(
                    name=crystal.name,
                    predicted=found.value,
                    lower=found.lower,
                    upper=found.upper,
                    measured=10.0**crystal.measurement.log10_conductivity,
                    in_domain=found.in_domain,
                    path=found.path,
                )
            )
    coverage = found.coverage
    console.print(comparison_table(rows, coverage))
    console.print(verdict(rows, coverage, models[0].trained_on))
    for crystal in crystals:
        console.print(f"  {crystal.name}: {crystal.reference}", style="dim", highlight=False)
    prediction_figure(rows, figure, title=f"{coverage:.0%} intervals beside measurements the model was trained on")
    console.print(f"Figure: {figure.resolve()}", soft_wrap=True)
    return rows


def comparison_table(rows: Sequence[Comparison], coverage: float) -> Table:
    """Predicted beside measured, in S/cm."""
    table = Table(title="Ionic conductivity in S/cm, at the temperature of the measurement (near 298 K)")
    table.add_column("crystal")
    for heading in ("predicted", f"{coverage:.0%} interval", "measured", "inside", "in domain"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(
            row.name,
            f"{row.predicted:.1e}",
            f"{row.lower:.0e}–{row.upper:.0e}",
            f"{row.measured:.1e}",
            "yes" if row.lower <= row.measured <= row.upper else "no",
            "yes" if row.in_domain else "no",
        )
    return table


def verdict(rows: Sequence[Comparison], coverage: float, trained_on: str) -> str:
    """What the table does and does not show; `trained_on` is the model card's own words."""
    held = sum(row.lower <= row.measured <= row.upper for row in rows)
    error = sum(abs(math.log10(row.predicted / row.measured)) for row in rows) / len(rows)
    seen = (
        "The bundled crystals are part of that, so this shows that the service works, not how accurate it is"
        if "embedded" in trained_on
        else "Whether the bundled crystals are part of that, its card does not say"
    )
    return (
        f"{held} of {len(rows)} measured values are inside the {coverage:.0%} interval; mean error {error:.2f} decades."
        f"\nThe model was trained on {trained_on or 'unnamed data'}. {seen}: the README has its accuracy."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ionscout.serving.demo", description=__doc__)
    parser.add_argument("--figure", type=Path, default=FIGURE, help="where to write the figure (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        run(options.figure)
    except ServiceFailed as error:
        print(f"error: {error}\n--- end of the service's log ---\n{error.log[-4000:]}", file=sys.stderr)
        return 1
    except (IonscoutError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
