"""The conductivity predictor that is served: graph ensemble and Gaussian process, joined, calibrated, and versioned."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from ionscout.datasets.errors import BadData
from ionscout.datasets.structure import Material
from ionscout.models import arrhenius
from ionscout.models.conductivity.completion import Reading, readings
from ionscout.models.conductivity.ensemble import ConductivityEnsemble
from ionscout.models.conductivity.features import Features, features_of
from ionscout.models.conductivity.gaussian_process import ConductionProcess
from ionscout.models.conductivity.inputs import graphs_of
from ionscout.models.conductivity.kinds import BulkShift, ConductivityKind
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.models.energy import load_predictor

NAME = "conductivity"
Known = Literal["structure", "cell", "template", "composition"]
VIEWS = ("structure", "cell", "composition")  # what a process was fitted to see; a template lends a cell
FAR_NOTE = "Far from room temperature: extrapolated with the predicted activation energy; melting is not seen."
FAR = 50.0  # K from 298 K; nearly all labels were measured within 10 K of it
HOT_NOTE = "So hot, predictions are too high in the mean and intervals hold less than they promise."
HOT = 500.0  # K; up to there held-out rows lie in their intervals as often as promised, benchmarks/temperatures.md


@dataclass(frozen=True)
class ConductivityPrediction:
    """Conductivity of one material.

    Attributes:
        conductivity, lower, upper: S/cm at `temperature_K`; the interval holds `coverage` of new measurements.
        activation_energy, activation_energy_deviation: eV; the second is the error to be expected, calibrated.
        in_domain: whether the training data constrains this material; what it is worth is in the model card.
        novelty: how little it does: the share of the prior variance that the training data leaves, over the largest
            share that counts as inside (for this `path`); above 1 is out of domain. None where nobody said it.
        path: what was known and used: the crystal `structure`, only its `cell`, the cells of its nearest relatives
            (`template`), or its `composition` alone.
        model, version: what answered. kind: the total conductivity, or that inside the grains.
    """

    conductivity: float
    lower: float
    upper: float
    coverage: float
    temperature_K: float
    activation_energy: float | None
    activation_energy_deviation: float
    in_domain: bool
    path: Known
    model: str
    version: str
    warnings: tuple[str, ...] = ()
    kind: ConductivityKind = "total"
    novelty: float | None = None


@dataclass(frozen=True)
class Calibration:
    """What turns raw outputs into intervals; one for each kind of input (`Known`), measured out of fold.

    Attributes:
        graph_weight: share of the graph ensemble in the mean, the rest is the process's.
        factor: conformal factor on the scale, at `coverage`.
        energy_factor: root mean square of the errors of Ea in units of the deviation that the process expects.
        domain_novelty: largest novelty that counts as inside.
    """

    graph_weight: float
    factor: float
    coverage: float
    energy_factor: float
    domain_novelty: float


@dataclass(frozen=True)
class RawPrediction:
    """Both models on n materials, before they are joined.

    Attributes:
        graph [n]: log10 σ at 298.15 K of the graph ensemble.
        process [n]: of the Gaussian process, at the temperature. room [n]: of the Gaussian process at 298.15 K.
        error [n]: typical error learned from left-out publications, decades. variance [n]: posterior, at 298.15 K.
        drift [n]: variance that another temperature adds. energy, energy_deviation [n]: Ea and what it may be off, eV.
        novelty [n]: share of the prior variance that the training data leaves, 0 to 1.
    """

    graph: np.ndarray
    process: np.ndarray
    room: np.ndarray
    error: np.ndarray
    variance: np.ndarray
    drift: np.ndarray
    energy: np.ndarray
    energy_deviation: np.ndarray
    novelty: np.ndarray


class ConductivityPredictor:
    """Predicts conductivity with intervals. Build with `load`, or from parts after training."""

    def __init__(
        self,
        ensemble: ConductivityEnsemble,
        processes: dict[str, ConductionProcess],
        calibration: dict[str, Calibration],
        card: dict,
    ):
        self.ensemble = ensemble.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self.processes = processes
        self.calibration = calibration
        self.card = card

    @property
    def version(self) -> str:
        return str(self.card.get("version", "untrained"))

    def predict(
        self,
        materials: Sequence[Material],
        temperature_K: float = arrhenius.REFERENCE_TEMPERATURE,
        kind: ConductivityKind = "total",
        calibration: dict[str, Calibration] | None = None,
    ) -> list[ConductivityPrediction]:
        """Predict the conductivity of every material at one temperature (K).

        Args:
            kind: total conductivity, or that inside the grains: the first and a shift from few samples, which a warning
                counts and which widens the interval.
            calibration: by path; None takes the predictor's own.

        Raises:
            BadData: bulk conductivity is asked of a model that has no shift.
        """
        if not materials:
            return []
        shift = BulkShift.of(self.card) if kind == "bulk" else None
        seen = [readings(material) for material in materials]
        owner = np.repeat(np.arange(len(seen)), [len(options) for options in seen])
        options = [option for group in seen for option in group]
        raw = self.raw([option.material for option in options], temperature_K)
        chosen = calibration or self.calibration
        return [
            self._answer(raw, np.flatnonzero(owner == i), group, material, temperature_K, shift, chosen)
            for i, (group, material) in enumerate(zip(seen, materials, strict=True))
        ]

    def raw(
        self, materials: Sequence[Material], temperature_K: float = arrhenius.REFERENCE_TEMPERATURE
    ) -> RawPrediction:
        """Both models on materials as they are (no completion), not joined."""
        graphs = graphs_of(materials, self.ensemble.config.cutoff)
        features = features_of(materials, graphs)
        location = self.ensemble.predict(graphs).location
        return raw_prediction(location, self.processes, materials, features, temperature_K)

    def _answer(
        self,
        raw: RawPrediction,
        rows: np.ndarray,
        options: Sequence[Reading],
        material: Material,
        temperature_K: float,
        shift: BulkShift | None,
        calibrations: dict[str, Calibration],
    ) -> ConductivityPrediction:
        path = path_of(material, options)
        calibration = calibrations[path]
        weights = np.array([option.weight for option in options])
        location, scale = join(raw, rows, weights, calibration.graph_weight)
        energy, deviation = mixture(raw.energy[rows], raw.energy_deviation[rows], weights)
        half = calibration.factor * scale
        novelty = float(weights @ raw.novelty[rows])
        in_domain = novelty <= calibration.domain_novelty
        notes = [*material.warnings, *_path_notes(path, options)]
        if abs(temperature_K - arrhenius.REFERENCE_TEMPERATURE) > FAR:
            notes.append(FAR_NOTE if temperature_K <= HOT else f"{FAR_NOTE} {HOT_NOTE}")
        if shift is not None:
            location, half = location + shift.decades, math.hypot(half, shift.half_width(calibration.coverage))
            notes.append(shift.note())
        if not in_domain:
            notes.append("Few materials like it are in the training data: the interval may be too narrow.")
        return ConductivityPrediction(
            conductivity=10.0**location,
            lower=10.0 ** (location - half),
            upper=10.0 ** (location + half),
            coverage=calibration.coverage,
            temperature_K=float(temperature_K),
            activation_energy=max(0.0, energy),  # conduction is activated; below 0 is noise
            activation_energy_deviation=calibration.energy_factor * deviation,
            in_domain=in_domain,
            path=path,
            model=NAME,
            version=self.version,
            warnings=tuple(notes),
            kind="total" if shift is None else "bulk",
            novelty=novelty / calibration.domain_novelty if calibration.domain_novelty > 0 else None,
        )

    @classmethod
    def load(cls, directory: Path | None = None) -> "ConductivityPredictor":
        """Read `conductivity.safetensors` and its card from a folder; None takes the shipped weights.

        Raises:
            BadData: when a file is missing, damaged, or the weights are not those of the card.
        """
        folder = directory if directory is not None else Path(str(resources.files("ionscout.models.weights")))
        try:
            card = json.loads((folder / f"{NAME}.json").read_text())
            blob = (folder / f"{NAME}.safetensors").read_bytes()
        except (OSError, json.JSONDecodeError) as error:
            raise BadData(f"No readable conductivity model in {folder} ({error}); train one or reinstall.") from None
        if hashlib.sha256(blob).hexdigest() != card["weights_sha256"]:
            raise BadData(f"The conductivity weights in {folder} do not belong to their card; reinstall or retrain.")
        if card.get("embedding") != load_predictor().version:
            raise BadData(
                f"The conductivity model in {folder} was trained on the embedding {card.get('embedding')}, but the "
                f"energy model here is {load_predictor().version}; run `ionscout train conductivity`."
            )
        arrays = load_arrays(blob)
        ensemble = ConductivityEnsemble(NetworkConfig(**card["network"]), card["members"])
        ensemble.load_state_dict(
            {k.removeprefix("ensemble."): torch.tensor(v) for k, v in arrays.items() if k.startswith("ensemble.")}
        )
        processes = {v: ConductionProcess.from_arrays(arrays, card["processes"][v], f"process.{v}") for v in VIEWS}
        calibration = {path: Calibration(**values) for path, values in card["calibration"].items()}
        return cls(ensemble, processes, calibration, card)

    def save(self, directory: Path) -> None:
        """Write weights and card; the version is the weights' hash, so equal weights have equal versions."""
        arrays = {f"ensemble.{k}": v.cpu().numpy() for k, v in self.ensemble.state_dict().items()}
        for view, process in self.processes.items():
            arrays |= process.arrays(f"process.{view}")
        blob = save_arrays({name: np.ascontiguousarray(value) for name, value in sorted(arrays.items())})
        digest = hashlib.sha256(blob).hexdigest()
        self.card |= {
            "name": NAME,
            "version": digest[:12],
            "weights_sha256": digest,
            "embedding": load_predictor().version,
            "network": self.ensemble.config.model_dump(),
            "members": len(self.ensemble.members),
            "processes": {view: process.settings() for view, process in self.processes.items()},
            "calibration": {path: vars(values) for path, values in self.calibration.items()},
        }
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{NAME}.safetensors").write_bytes(blob)
        (directory / f"{NAME}.json").write_text(json.dumps(self.card, indent=2, sort_keys=True) + "\n")


def raw_prediction(
    graph: np.ndarray,
    processes: dict[str, ConductionProcess],
    materials: Sequence[Material],
    features: Features,
    temperature_K: float = arrhenius.REFERENCE_TEMPERATURE,
) -> RawPrediction:
    """What the processes say of materials, each by the process of its view, beside the graph ensemble's answers [n]."""
    views = np.array([view_of(material) for material in materials])
    columns = {name: np.empty(len(materials)) for name in RawPrediction.__dataclass_fields__}
    columns["graph"] = graph
    for view in np.unique(views):
        rows = np.flatnonzero(views == view)
        process, known = processes[view], features.rows(rows)
        room = process.predict(known)
        there = process.predict(known, temperature_K)
        columns["process"][rows], columns["room"][rows] = there.location, room.location
        columns["error"][rows], columns["variance"][rows] = process.expected_error(known), room.variance
        columns["drift"][rows] = np.maximum(0.0, there.variance - room.variance)
        columns["energy"][rows] = room.energy
        columns["energy_deviation"][rows] = np.sqrt(room.energy_variance + process.energy_noise**2)
        columns["novelty"][rows] = room.variance / process.prior_variance(known)
    return RawPrediction(**columns)


def view_of(material: Material) -> str:
    """Which process sees a material: one of `VIEWS`."""
    if material.structure is not None:
        return "structure"
    return "composition" if material.cell is None else "cell"


def path_of(material: Material, options: Sequence[Reading]) -> Known:
    """What is known of a material and was used: decides its calibration."""
    if material.structure is not None:
        return "structure"
    if material.cell is not None:
        return "cell"
    return "template" if options[0].template else "composition"


# The error learned nearby decides the width; the posterior adds to it where nothing is near. With this share the
# intervals keep their promise in every family of 20 rows and more; with 1, those of garnets are twice too wide.
POSTERIOR_SHARE = 0.3


def join(raw: RawPrediction, rows: np.ndarray, weights: np.ndarray, graph_weight: float) -> tuple[float, float]:
    """Joined log10 σ and its scale (decades) of one material, read as `rows` with weights adding to 1."""
    apart = raw.graph[rows] - raw.room[rows]
    location = raw.process[rows] + graph_weight * apart
    squared = raw.error[rows] ** 2 + POSTERIOR_SHARE**2 * raw.variance[rows] + raw.drift[rows]
    return mixture(location, np.sqrt(squared + graph_weight * (1 - graph_weight) * apart**2), weights)


def mixture(means: np.ndarray, deviations: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of a weighted mixture."""
    mean = float(weights @ means)
    return mean, float(np.sqrt(weights @ (deviations**2 + (means - mean) ** 2)))


def _path_notes(path: Known, options: Sequence[Reading]) -> list[str]:
    if path == "template":
        names = ", ".join(f"{option.template} ({option.weight:.0%})" for option in options)
        return [f"No crystal structure was given: the cells of its nearest relatives stand in, {names}."]
    if path == "composition":
        return ["No crystal structure was given and none of its relatives is known: the composition alone answers."]
    return ["No atomic positions were given: cell and composition answer."] if path == "cell" else []
