"""The monitoring report: drift of inputs and of coverage, from a prediction log and the observations that came in."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ionscout.datasets.observations.source import Observations
from ionscout.datasets.sources.base import Source
from ionscout.serving.monitoring.coverage import CoverageDrift, Observation, coverage_drift, matched
from ionscout.serving.monitoring.drift import InputDrift, ReferenceProfile, input_drift
from ionscout.serving.monitoring.log import LoggedPrediction
from ionscout.training.benchmarks.thermo_report import table


@dataclass(frozen=True)
class MonitoringReport:
    """What the log says.

    Attributes:
        predictions: logged ones; first, last: their times (UTC); models: logged predictions by model.
        median_milliseconds: per request.
        inputs: drift of inputs; coverage: of intervals, None without observations.
        untimed: observations without a time of receipt, held against the last prediction of all.
    """

    predictions: int
    first: str
    last: str
    models: dict[str, int]
    median_milliseconds: float
    training: str
    inputs: InputDrift
    coverage: CoverageDrift | None
    untimed: int = 0

    @property
    def drifted(self) -> bool:
        """Whether anything calls for retraining or calibration."""
        return "drift" in (self.inputs.verdict, self.coverage.verdict if self.coverage else "")

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "drifted": self.drifted}


def monitoring_report(
    logged: Sequence[LoggedPrediction],
    profile: ReferenceProfile,
    training: str,
    observations: Sequence[Observation] | None = None,
) -> MonitoringReport:
    """Make the report.

    Args:
        logged: at least one prediction, in time order.
        profile, training: of the training rows, and what they are in words.
        observations: measurements that came in, if there are any.

    Raises:
        BadData: no logged formula can be read.
    """
    times = sorted(line.milliseconds for line in logged)
    models: dict[str, int] = {}
    for line in logged:
        models[line.model] = models.get(line.model, 0) + 1
    return MonitoringReport(
        predictions=len(logged),
        first=min(line.time for line in logged),
        last=max(line.time for line in logged),
        models=models,
        median_milliseconds=times[len(times) // 2],
        training=training,
        inputs=input_drift([line.formula for line in logged], [line.in_domain for line in logged], profile),
        coverage=None if observations is None else coverage_drift(matched(logged, observations)),
        untimed=sum(seen.received is None for seen in observations or ()),
    )


def observations_of(source: Source) -> list[Observation]:
    """The measurements of a source: of a store in the order in which they came, of a table without times of receipt.

    Raises:
        DataUnavailable, BadData: of the source.
    """
    if isinstance(source, Observations):
        return [
            Observation(o.composition, math.log10(o.conductivity), o.temperature_K, o.censored, o.received)
            for o in sorted(source.observed(), key=lambda o: o.received)
            if o.conductivity is not None
        ]
    return [
        Observation(m.composition, m.log10_conductivity, m.temperature_K, m.censored)
        for m in source.load()
        if math.isfinite(m.log10_conductivity)
    ]


def markdown(report: MonitoringReport) -> str:
    """The report as a page."""
    found = report.inputs
    models = ", ".join(f"{name} ({count})" for name, count in sorted(report.models.items()))
    parts = [
        "# Monitoring",
        f"{report.predictions} logged predictions from {report.first} to {report.last}, by {models}; "
        f"median request {report.median_milliseconds:.0f} ms.",
        f"## Inputs: {found.verdict}",
        f"{found.reason} Compared with {report.training}; the last {found.inputs} inputs.",
        table(
            ("view", "inputs", "training", "p-value"),
            [
                ("stability index of the elements", found.stability_index, 0.0, found.p_value),
                (
                    "median distance to the nearest training composition",
                    found.median_distance,
                    found.training_median_distance,
                    found.distance_p_value,
                ),
                ("share outside the model's domain", found.out_of_domain, None, None),
                ("inputs with elements of no training row", sum(found.unseen_elements.values()), 0, None),
            ],
        ),
        table(
            ("element", "share of training rows", "share of inputs"),
            [(shift.element, shift.training_share, shift.input_share) for shift in found.shifts],
        ),
    ]
    if report.coverage is None:
        parts += ["## Intervals", "No observations were given."]
    else:
        held = report.coverage
        parts += [
            f"## Intervals: {held.verdict}",
            held.reason,
            table(
                ("pairs", "inside", "observed", "95 % from", "to", "promised", "p-value", "recent", "p-value", "bias"),
                [
                    (
                        held.pairs,
                        held.inside,
                        held.observed,
                        held.observed_lower,
                        held.observed_upper,
                        held.nominal,
                        held.p_value,
                        held.recent_observed,
                        held.recent_p_value,
                        held.bias,
                    )
                ],
            ),
            "Bias: mean of measured − predicted, in decades. A measurement is held against the last prediction logged "
            "before it came in.",
        ]
        if report.untimed:
            parts.append(
                f"Without a time of receipt: {report.untimed} (the measurements of a table have none). They are held "
                "against the last prediction of all; if a model was trained on them in between, coverage looks better "
                "than it is. `--store` knows the times."
            )
    return "\n\n".join(parts)
