"""The conductivity predictor that is served: graph ensemble and forests, joined, calibrated, and versioned."""

import hashlib
import json
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
from ionscout.models.conductivity.ensemble import ConductivityEnsemble
from ionscout.models.conductivity.forest import FrozenForest
from ionscout.models.conductivity.inputs import composition_features, crystal_features, graph_of
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.models.uncertainty import nearest_distance

NAME = "conductivity"
Known = Literal["structure", "cell", "composition"]
FAR_NOTE = "Far from room temperature: extrapolated with the predicted activation energy; melting is not seen."
VIEWS = ("structure", "composition")
FAR = 50.0  # K from 298 K; nearly all labels were measured within 10 K of it


@dataclass(frozen=True)
class ConductivityPrediction:
    """Conductivity of one material.

    Attributes:
        conductivity, lower, upper: S/cm at `temperature_K`; the interval holds `coverage` of new measurements.
        activation_energy, activation_energy_deviation: eV; the second is its root mean square error, out of fold.
        in_domain: whether the training data has several materials like this one.
        path: what was known and used: the crystal `structure`, only its `cell`, or only its `composition`.
        model, version: what answered.
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


@dataclass(frozen=True)
class Calibration:
    """What turns raw outputs into intervals; one for each kind of input (`Known`), measured out of fold.

    Attributes:
        graph_weight: share of the graph ensemble in the mean, the rest is the forest's.
        factor: conformal factor on the scale, at `coverage`.
        energy_deviation: root mean square error of the activation energy, eV.
        domain_distance: largest embedding distance that counts as inside.
    """

    graph_weight: float
    factor: float
    coverage: float
    energy_deviation: float
    domain_distance: float


@dataclass(frozen=True)
class RawPrediction:
    """Uncalibrated joint prediction of n materials: log10 σ at 298.15 K, its scale, Ea (eV), embedding distance."""

    location: np.ndarray
    scale: np.ndarray
    energy: np.ndarray
    distance: np.ndarray


class ConductivityPredictor:
    """Predicts conductivity with intervals. Build with `load`, or from parts after training."""

    def __init__(
        self,
        ensemble: ConductivityEnsemble,
        crystal_forest: FrozenForest,
        composition_forest: FrozenForest,
        reference_embeddings: dict[str, np.ndarray],
        calibration: dict[str, Calibration],
        card: dict,
    ):
        self.ensemble = ensemble.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self.forests = {"structure": crystal_forest, "cell": crystal_forest, "composition": composition_forest}
        self.reference_embeddings = reference_embeddings
        self.calibration = calibration
        self.card = card

    @property
    def version(self) -> str:
        return str(self.card.get("version", "untrained"))

    def predict(
        self, materials: Sequence[Material], temperature_K: float = arrhenius.REFERENCE_TEMPERATURE
    ) -> list[ConductivityPrediction]:
        """Predict the conductivity of every material at one temperature (K)."""
        if not materials:
            return []
        raw = self.raw(materials)
        paths = [path_of(material) for material in materials]
        return [
            self._calibrated(raw, i, path, material, temperature_K)
            for i, (path, material) in enumerate(zip(paths, materials, strict=True))
        ]

    def raw(self, materials: Sequence[Material]) -> RawPrediction:
        """Join the graph ensemble and the forest; no interval yet."""
        cutoff = self.ensemble.config.cutoff
        graphs = [graph_of(material.composition, material.structure, cutoff) for material in materials]
        output = self.ensemble.predict(graphs)
        trees = np.stack([self._trees(material) for material in materials])
        weight = np.array([self.calibration[path_of(material)].graph_weight for material in materials])
        location, scale = join(output.location, output.deviation, trees.mean(1), trees.var(1), weight)
        energy = arrhenius.activation_energy(location, output.prefactor)
        distance = domain_distances(materials, output.embedding, self.reference_embeddings)
        return RawPrediction(location, scale, energy, distance)

    def _trees(self, material: Material) -> np.ndarray:
        path = path_of(material)
        return self.forests[path].predict_trees(features_of(material)[None])[0]

    def _calibrated(
        self, raw: RawPrediction, i: int, path: Known, material: Material, temperature_K: float
    ) -> ConductivityPrediction:
        calibration = self.calibration[path]
        energy = max(0.0, float(raw.energy[i]))  # conduction is activated; below 0 is noise of the prefactor
        centre = arrhenius.at_temperature(float(raw.location[i]), energy, temperature_K)
        drift = calibration.energy_deviation * arrhenius.inverse_temperature_shift(temperature_K)
        half = calibration.factor * float(np.hypot(raw.scale[i], drift))
        in_domain = bool(raw.distance[i] <= calibration.domain_distance)
        notes = list(material.warnings)
        if material.structure is None:
            notes.append("No crystal structure was given: the answer rests on the composition alone.")
        if abs(temperature_K - arrhenius.REFERENCE_TEMPERATURE) > FAR:
            notes.append(FAR_NOTE)
        if not in_domain:
            notes.append("Few materials like it are in the training data: the interval may be too narrow.")
        return ConductivityPrediction(
            conductivity=10.0**centre,
            lower=10.0 ** (centre - half),
            upper=10.0 ** (centre + half),
            coverage=calibration.coverage,
            temperature_K=float(temperature_K),
            activation_energy=energy,
            activation_energy_deviation=calibration.energy_deviation,
            in_domain=in_domain,
            path=path,
            model=NAME,
            version=self.version,
            warnings=tuple(notes),
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
        arrays = load_arrays(blob)
        ensemble = ConductivityEnsemble(NetworkConfig(**card["network"]), card["members"])
        ensemble.load_state_dict(
            {k.removeprefix("ensemble."): torch.tensor(v) for k, v in arrays.items() if k.startswith("ensemble.")}
        )
        return cls(
            ensemble,
            FrozenForest.from_arrays(arrays, "crystal_forest"),
            FrozenForest.from_arrays(arrays, "composition_forest"),
            {view: arrays[f"reference_embedding.{view}"].astype(np.float64) for view in VIEWS},
            {path: Calibration(**values) for path, values in card["calibration"].items()},
            card,
        )

    def save(self, directory: Path) -> None:
        """Write weights and card; the version is the weights' hash, so equal weights have equal versions."""
        arrays = {f"ensemble.{k}": v.cpu().numpy() for k, v in self.ensemble.state_dict().items()}
        arrays |= self.forests["structure"].arrays("crystal_forest")
        arrays |= self.forests["composition"].arrays("composition_forest")
        for view, embedding in self.reference_embeddings.items():
            arrays[f"reference_embedding.{view}"] = embedding.astype(np.float32)
        blob = save_arrays({name: np.ascontiguousarray(value) for name, value in sorted(arrays.items())})
        digest = hashlib.sha256(blob).hexdigest()
        self.card |= {
            "name": NAME,
            "version": digest[:12],
            "weights_sha256": digest,
            "network": self.ensemble.config.model_dump(),
            "members": len(self.ensemble.members),
            "calibration": {path: vars(values) for path, values in self.calibration.items()},
        }
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{NAME}.safetensors").write_bytes(blob)
        (directory / f"{NAME}.json").write_text(json.dumps(self.card, indent=2, sort_keys=True) + "\n")


def path_of(material: Material) -> Known:
    """What is known of a material: decides its forest and its calibration."""
    if material.structure is not None:
        return "structure"
    return "composition" if material.cell is None else "cell"


def view_of(material: Material) -> str:
    """What the graph network sees of a material: one of `VIEWS`."""
    return "composition" if material.structure is None else "structure"


def domain_distances(
    materials: Sequence[Material], embedding: np.ndarray, references: dict[str, np.ndarray]
) -> np.ndarray:
    """Distance [n] of materials with embeddings [n, d] to the training rows, seen the way each material is seen."""
    distance = np.empty(len(materials))
    views = np.array([view_of(material) for material in materials])
    for view in np.unique(views):
        distance[views == view] = nearest_distance(embedding[views == view], references[view])
    return distance


def features_of(material: Material) -> np.ndarray:
    """The forest's features of a material, for its path."""
    if material.cell is None:
        return composition_features(material.composition)
    return crystal_features(material.composition, material.cell)


# Repeats of one composition by different laboratories differ by 0.45 decades in the median; no prediction is surer.
MINIMAL_SCALE = 0.3


def join(
    graph: np.ndarray, deviation: np.ndarray, forest: np.ndarray, tree_variance: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean of ensemble and forest [n], and one scale [n] from both.

    The scale adds what the networks expect, how far trees spread, and how far the two models are apart.
    """
    location = weight * graph + (1 - weight) * forest
    variance = weight * deviation**2 + (1 - weight) * tree_variance
    return location, np.sqrt(variance + weight * (1 - weight) * (graph - forest) ** 2 + MINIMAL_SCALE**2)
