"""Pictures of a training: parity with intervals, and whether intervals hold what they promise."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ionscout.training.crossval import Honest, OutOfFold


def parity_plot(oof: OutOfFold, honest: Honest) -> Figure:
    """Predicted against measured conductivity, out of fold; upper bounds point downwards."""
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    axes.errorbar(
        oof.label, honest.location, yerr=honest.half_width, fmt="none", ecolor="0.85", elinewidth=0.8, zorder=0
    )
    for mask, marker, text in ((~oof.censored, "o", "measured"), (oof.censored, "<", "upper bound")):
        axes.scatter(oof.label[mask], honest.location[mask], s=14, marker=marker, label=text)
    ends = [min(oof.label.min(), -16), 0]
    axes.plot(ends, ends, color="0.4", lw=1)
    axes.set(xlabel="measured log10(σ / S cm⁻¹)", ylabel="predicted out of fold", xlim=ends, ylim=ends)
    axes.legend(frameon=False)
    return figure


def calibration_plot(oof: OutOfFold, honest: Honest) -> Figure:
    """Share of measurements inside intervals of every nominal coverage, out of fold."""
    error = oof.label - honest.location
    error = np.where(oof.censored, np.minimum(error, 0.0), error)
    scaled = np.sort(np.abs(error) / honest.half_width)
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    axes.plot(scaled, np.arange(1, len(scaled) + 1) / len(scaled))
    axes.axvline(1.0, color="0.4", lw=1)
    axes.axhline(0.9, color="0.4", lw=1)
    axes.set(xlabel="interval, in units of the 90 % interval", ylabel="share of measurements inside", xlim=(0, 2.5))
    return figure


def loss_plot(oof: OutOfFold) -> Figure:
    """Validation error of every network of the cross-validation."""
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    for fold in oof.histories:
        for fitted in fold:
            axes.plot([validation for _, validation in fitted.history], lw=0.8, color="C0", alpha=0.5)
    axes.set(xlabel="epoch", ylabel="validation MAE (decades)")
    return figure
