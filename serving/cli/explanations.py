"""What `ionscout predict --explain` prints and draws."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ionscout.datasets.structure import Material
    from ionscout.serving.explanation_schemas import ExplanationSummary
    from ionscout.serving.schemas import Prediction


def draw(material: "Material", prediction: "Prediction", plot: Path | None, arrhenius: Path | None) -> None:
    """Write the figures that were asked for.

    Raises:
        OutOfRange: a file name whose suffix is no format of figures.
    """
    if plot is not None and prediction.explanation is not None:
        from ionscout.serving.explanation_figure import explanation_figure

        explanation_figure(prediction.explanation, plot, formula=prediction.formula, structure=material.structure)
    if arrhenius is not None:
        from ionscout.serving.answers import load_predictor
        from ionscout.serving.arrhenius_figure import arrhenius_figure, measured_points, predicted_line

        marked = prediction.conductivity.temperature_K
        line = predicted_line(load_predictor(), material, [marked], prediction.conductivity.kind)
        arrhenius_figure(line, measured_points(material), arrhenius, marked_K=marked)


def print_explanations(answers: list[tuple[str, "Prediction"]]) -> None:
    """Sentences and the nearest measured materials of every explained prediction."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 140  # a file or pipe has no width of its own
    for name, prediction in answers:
        if prediction.explanation is None:
            continue
        console.print(
            f"\nWhy {Path(name).name if name != '-' else name} ({prediction.formula})", style="bold", markup=False
        )
        for sentence in prediction.explanation.text:
            console.print(f"- {sentence}", markup=False, highlight=False)
        console.print(_neighbours(prediction.explanation))


def _neighbours(found: "ExplanationSummary"):
    from rich.table import Table

    table = Table(title="Nearest measured materials")
    for heading in ("formula", "S/cm", "K", "kind", "Ea/eV", "family", "distance", "source"):
        table.add_column(heading, no_wrap=heading not in ("formula", "family"))
    table.add_column("publication", overflow="fold")
    for row in found.neighbours:
        table.add_row(
            row.formula,
            f"{'<' if row.censored else ''}{row.conductivity:.1e}",
            f"{row.temperature_K:.0f}",
            row.kind,
            "–" if row.activation_energy is None else f"{row.activation_energy:.2f}",
            row.family or "–",
            f"{row.distance:.2f}" + (", other space group" if row.same_space_group is False else ""),
            row.source,
            row.doi or row.reference or "–",
        )
    return table
