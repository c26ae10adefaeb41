"""The Gibbs triangle of a stability map."""

from pathlib import Path

import numpy as np

from ionscout.serving.screening_schemas import StabilityMapAnswer
from ionscout.serving.thermo_figures import chemical, new_figure, save

# Corners of the drawn triangle: the first left below (lithium by custom), the second right below, the third on top.
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])


def triangle_figure(answer: StabilityMapAnswer, path: Path) -> Path:
    """Reaction energy in colour, the threshold's contour as a line, tick marks every fifth of a side."""
    from matplotlib.tri import Triangulation

    figure = new_figure(6.4, 5.4)
    axes = figure.subplots()
    points = np.array(answer.fractions) @ CORNERS
    values = 1000 * np.array(answer.energies)
    low = min(float(values.min()), -2000 * answer.threshold)
    image = axes.tripcolor(
        Triangulation(points[:, 0], points[:, 1], np.array(answer.triangles)), values, shading="gouraud", cmap="RdYlGn",
        vmin=low, vmax=0,
    )  # fmt: skip
    for segment in answer.contour:
        line = np.array(segment) @ CORNERS
        axes.plot(line[:, 0], line[:, 1], color="black", lw=1.6, solid_capstyle="round")
    outline = CORNERS[[0, 1, 2, 0]]
    axes.plot(outline[:, 0], outline[:, 1], color="#333333", lw=1)
    _grid(axes)
    for corner, name, (dx, dy), align in zip(
        CORNERS, answer.corners, ((-0.03, -0.04), (0.03, -0.04), (0, 0.03)), ("right", "left", "center"), strict=True
    ):
        element = "O" if name == "O2" else chemical(name)
        axes.text(corner[0] + dx, corner[1] + dy, element, ha=align, va="center", fontsize=13)
    axes.set_aspect("equal")
    axes.axis("off")
    bar = figure.colorbar(image, shrink=0.75, label="worst reaction (meV/atom)")
    bar.ax.axhline(-1000 * answer.threshold, color="black", lw=1.6)
    axes.set_title(
        f"against {chemical(answer.partner)}, hull {answer.hull}: {100 * answer.stable_share:.0f} % within "
        f"{1000 * answer.threshold:.0f} meV/atom (line)",
        fontsize=10,
    )
    return save(figure, path)


def _grid(axes) -> None:
    """Faint lines of equal share, every fifth."""
    for share in (0.2, 0.4, 0.6, 0.8):
        for corner in range(3):
            others = [other for other in range(3) if other != corner]
            ends = [share * CORNERS[corner] + (1 - share) * CORNERS[other] for other in others]
            axes.plot(*np.array(ends).T, color="black", lw=0.35, alpha=0.35)
