"""Arrhenius figure: predicted conductivity over temperature with its interval, beside what was measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ionscout.models.conductivity.kinds import ConductivityKind
from ionscout.serving.thermo_figures import chemical, new_figure, save

if TYPE_CHECKING:
    from ionscout.datasets.structure import Material
    from ionscout.models.conductivity.predictor import ConductivityPredictor

COLDEST_SHOWN, HOTTEST_SHOWN = 250.0, 450.0  # K, widened to the temperature that was asked for
POINTS = 17
NEIGHBOURS = 4
SHOWN_REACH = 100.0  # K either side; measured lines beyond their own temperature are Arrhenius lines of the measured Ea
Quantity = Literal["sigma", "sigma_T"]


@dataclass(frozen=True)
class ArrheniusLine:
    """Predicted conductivities of one material, S/cm: `temperature_K`, `value`, `lower`, `upper` [n]."""

    formula: str
    temperature_K: np.ndarray
    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    coverage: float
    activation_energy: float | None


@dataclass(frozen=True)
class MeasuredPoint:
    """One measured conductivity (S/cm; an upper bound if `censored`), with its activation energy (eV) if known."""

    formula: str
    source: str
    temperature_K: float
    conductivity: float
    censored: bool
    activation_energy: float | None


def predicted_line(
    predictor: "ConductivityPredictor",
    material: "Material",
    temperatures_K: Sequence[float] = (),
    kind: ConductivityKind = "total",
) -> ArrheniusLine:
    """Predict over the figure's range, widened to the given temperatures."""
    low, high = min([COLDEST_SHOWN, *temperatures_K]), max([HOTTEST_SHOWN, *temperatures_K])
    grid = 1 / np.linspace(1 / high, 1 / low, POINTS)  # even along the axis of the figure
    found = [predictor.predict([material], float(t), kind)[0] for t in grid]
    return ArrheniusLine(
        formula=material.formula,
        temperature_K=grid,
        value=np.array([answer.conductivity for answer in found]),
        lower=np.array([answer.lower for answer in found]),
        upper=np.array([answer.upper for answer in found]),
        coverage=found[0].coverage,
        activation_energy=found[0].activation_energy,
    )


def measured_points(material: "Material") -> list[MeasuredPoint]:
    """What was measured on this very material at any temperature, else on the nearest few near room temperature."""
    from ionscout.datasets.sources.reference import reference_list

    references = reference_list()
    group = None if material.cell is None else material.cell.space_group
    rows = references.repeats(material.composition, group)
    if not rows:
        near = references.nearest(material.composition, NEIGHBOURS, space_group=group)
        rows = [neighbour.measurement for neighbour in near]
    return [
        MeasuredPoint(
            m.formula.strip(),
            m.source,
            m.temperature_K,
            10.0**m.log10_conductivity,
            m.censored,
            m.activation_energy_eV,
        )
        for m in rows
    ]


def arrhenius_figure(
    line: ArrheniusLine,
    measured: Sequence[MeasuredPoint],
    path: Path,
    *,
    marked_K: float | None = None,
    quantity: Quantity = "sigma_T",
) -> Path:
    """Draw log10 σT (or σ) against 1000/T: the prediction with its band, measured points, dotted lines of measured Ea.

    Args:
        marked_K: a temperature to mark on the predicted line.
        quantity: `sigma_T` is a straight line of slope −Ea; `sigma` is what is read off a data sheet.
    """
    figure = new_figure(9.4, 5.0)
    axes = figure.subplots()

    def height(conductivity, temperature):
        return np.log10(conductivity * temperature if quantity == "sigma_T" else conductivity)

    t = line.temperature_K
    x = 1000 / t
    axes.fill_between(
        x, height(line.lower, t), height(line.upper, t), color="#c9d8ea", lw=0, label=f"{line.coverage:.0%} interval"
    )
    energy = "" if line.activation_energy is None else f", $E_a$ {line.activation_energy:.2f} eV"
    axes.plot(x, height(line.value, t), color="#1f4e8c", lw=2, label=f"{chemical(line.formula)}, predicted{energy}")
    if marked_K is not None:
        at = np.interp(1000 / marked_K, x[np.argsort(x)], height(line.value, t)[np.argsort(x)])
        axes.plot([1000 / marked_K], [at], "o", color="#1f4e8c", ms=7)
    _measured(axes, line, measured, height)
    axes.set_xlabel("1000 / T (K$^{-1}$)")
    label = "σT / S K cm$^{-1}$" if quantity == "sigma_T" else "σ / S cm$^{-1}$"
    axes.set_ylabel(f"log$_{{10}}$({label})")
    axes.set_xlim(x.min(), x.max())
    celsius = axes.secondary_xaxis("top", functions=(_celsius, _thousandth))
    celsius.set_xlabel("temperature (°C)")
    celsius.set_ticks([c for c in range(-100, 1201, 25) if x.min() <= 1000 / (c + 273.15) <= x.max()][:: _stride(x)])
    axes.grid(color="#e2e2e2", lw=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    return save(figure, path)


def _measured(axes, line: ArrheniusLine, measured: Sequence[MeasuredPoint], height) -> None:
    """Points by formula and source, and the line of each measured activation energy through its point."""
    from ionscout.models.arrhenius import BOLTZMANN

    low, high = line.temperature_K.min(), line.temperature_K.max()
    groups: dict[tuple[str, str], list[MeasuredPoint]] = {}
    for point in measured:
        if low <= point.temperature_K <= high:
            groups.setdefault((point.formula, point.source), []).append(point)
    colours = ["#c1440e", "#2f8f5b", "#8a5fa8", "#b8860b", "#4d4d4d", "#d17aa5"]
    for number, ((formula, source), points) in enumerate(groups.items()):
        colour = colours[number % len(colours)]
        kelvin = np.array([point.temperature_K for point in points])
        value = height(np.array([point.conductivity for point in points]), kelvin)
        bound = np.array([point.censored for point in points])
        label = f"{chemical(formula)}, measured ({source})"
        axes.plot(1000 / kelvin[~bound], value[~bound], "x", color=colour, ms=6, mew=1.6, label=label)
        axes.plot(
            1000 / kelvin[bound], value[bound], "v", mfc="none", color=colour, ms=6, label=f"{label}: upper bound"
        ) if bound.any() else None
        for point in points:
            if point.activation_energy is None or point.censored:
                continue
            around = np.linspace(
                max(low, point.temperature_K - SHOWN_REACH), min(high, point.temperature_K + SHOWN_REACH)
            )
            drop = point.activation_energy / (BOLTZMANN * math.log(10)) * (1 / around - 1 / point.temperature_K)
            sigma = point.conductivity * point.temperature_K / around * 10.0**-drop
            axes.plot(1000 / around, height(sigma, around), ":", color=colour, lw=1.2)


def _celsius(x):
    return 1000 / np.maximum(x, 1e-6) - 273.15


def _thousandth(celsius):
    return 1000 / np.maximum(np.asarray(celsius) + 273.15, 1e-6)


def _stride(x: np.ndarray) -> int:
    """Every how many 25 °C steps are labelled, so that labels do not run into each other."""
    span = 1000 / x.min() - 1000 / x.max()
    return max(1, round(span / 250))
