"""Predictions of the shipped energy GNN: ensemble mean and spread for any composition of known elements."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from pymatgen.core import Composition, Element
from safetensors.torch import load_file, save_file
from torch import Tensor

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import BadData, UnsupportedElement
from ionscout.models.energy.network import PROPERTIES, EnergyNet, EnergyNetConfig

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
CARD = "energy.json"
_CHUNK = 2048  # compositions per forward pass: about 100 MB of activations


@dataclass(frozen=True)
class EnergyPrediction:
    """Ensemble means, one entry per composition, [n] each.

    Attributes:
        formation_energy: eV/atom on the scale of Materials Project 2019 (legacy corrections); 0 for elements.
        decomposition_energy: eV/atom against competing phases; ≤ 0 is on the hull.
        band_gap: PBE, eV, not below 0.
        experimental_gap: eV, not below 0.
        log10_shear, log10_bulk: log10 of the Voigt–Reuss–Hill moduli in GPa.
        spread: standard deviation between the members in the order of `PROPERTIES`, [n, 6]; it ranks, and is not an
            interval: on new compositions the error is several times larger.
        version: of the weights.
    """

    formation_energy: np.ndarray
    decomposition_energy: np.ndarray
    band_gap: np.ndarray
    experimental_gap: np.ndarray
    log10_shear: np.ndarray
    log10_bulk: np.ndarray
    spread: np.ndarray
    version: str


class EnergyPredictor:
    """An ensemble of `EnergyNet`s.

    Args:
        networks: the members, all of one size.
        elements: symbols of the elements that they have seen.
        version: of the weights.
    """

    def __init__(self, networks: Sequence[EnergyNet], elements: Sequence[str], version: str) -> None:
        self.networks = [network.eval() for network in networks]
        self.elements = frozenset(elements)
        self.version = version

    def predict(self, compositions: Sequence[Composition | str]) -> EnergyPrediction:
        """Predict all properties; formulas may be fractional.

        Raises:
            BadFormula, UnsupportedElement.
        """
        z, fraction = self._encode(compositions)
        values = np.empty((len(self.networks), len(z), len(PROPERTIES)), dtype=np.float64)
        with torch.inference_mode():
            for rows, width in _chunks(z):
                for k, network in enumerate(self.networks):
                    values[k, rows] = network(z[rows, :width], fraction[rows, :width]).numpy()
        mean = dict(zip(PROPERTIES, values.mean(0).T, strict=True))
        return EnergyPrediction(
            formation_energy=mean["formation_energy"],
            decomposition_energy=mean["decomposition_energy"],
            band_gap=mean["band_gap"].clip(min=0),
            experimental_gap=mean["experimental_gap"].clip(min=0),
            log10_shear=mean["log10_shear"],
            log10_bulk=mean["log10_bulk"],
            spread=values.std(0),
            version=self.version,
        )

    def embed(self, compositions: Sequence[Composition | str]) -> np.ndarray:
        """The members' pooled encodings side by side, [n, members · width] float32; raises as `predict` does."""
        z, fraction = self._encode(compositions)
        size = self.networks[0].config.width
        pooled = np.empty((len(z), size * len(self.networks)), dtype=np.float32)
        with torch.inference_mode():
            for rows, width in _chunks(z):
                for k, network in enumerate(self.networks):
                    encoded = network.embed(z[rows, :width], fraction[rows, :width])
                    pooled[rows, k * size : (k + 1) * size] = encoded.numpy()
        return pooled

    def _encode(self, compositions: Sequence[Composition | str]) -> tuple[Tensor, Tensor]:
        parsed = [parse_formula(c) if isinstance(c, str) else c for c in compositions]
        for composition in parsed:
            unknown = [el.symbol for el in composition.elements if el.symbol not in self.elements]
            if unknown:
                raise UnsupportedElement(
                    f"The energy GNN has seen no compound of {unknown[0]}; replace it by another element."
                )
        return encode_compositions(parsed)


def encode_compositions(compositions: Sequence[Composition]) -> tuple[Tensor, Tensor]:
    """Atomic numbers and fractions, padded with 0 to the largest number of elements, [n, k] each."""
    size = max((len(c) for c in compositions), default=1)
    z = torch.zeros((len(compositions), size), dtype=torch.long)
    fraction = torch.zeros((len(compositions), size), dtype=torch.float64)
    for i, composition in enumerate(compositions):
        for k, (element, amount) in enumerate(composition.items()):
            z[i, k] = Element(element.symbol).Z
            fraction[i, k] = float(amount)
    return z, (fraction / fraction.sum(1, keepdim=True)).float()


def _chunks(z: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Rows in chunks of (almost) equal numbers of elements, with the number of columns that each chunk needs."""
    count = (z > 0).sum(1)
    order = torch.argsort(count, stable=True)
    for rows in torch.split(order, _CHUNK):
        yield rows, int(count[rows].max())


def save_predictor(networks: Sequence[EnergyNet], card: dict, folder: Path = WEIGHTS) -> str:
    """Write the members (float16) and the card, to which hashes and version are added; returns the version."""
    folder.mkdir(parents=True, exist_ok=True)
    digest, files = hashlib.sha256(), []
    for k, network in enumerate(networks):
        file = folder / f"energy-{k}.safetensors"
        save_file({name: value.half() for name, value in network.state_dict().items()}, file)
        content = file.read_bytes()
        digest.update(content)
        file.chmod(0o644)  # safetensors writes for the owner alone
        files.append({"name": file.name, "sha256": hashlib.sha256(content).hexdigest()})
    for stale in folder.glob("energy-*.safetensors"):
        if stale.name not in {file["name"] for file in files}:
            stale.unlink()
    version = f"energy-{digest.hexdigest()[:10]}"
    size = vars(networks[0].config)
    text = json.dumps(card | {"version": version, "network": size, "files": files}, indent=1, ensure_ascii=False)
    (folder / CARD).write_text(text + "\n")
    return version


@lru_cache(maxsize=2)
def load_predictor(folder: Path = WEIGHTS) -> EnergyPredictor:
    """The shipped ensemble, kept in memory after the first call.

    Raises:
        BadData: the card or a weight file is missing or damaged.
    """
    try:
        card = json.loads((folder / CARD).read_text())
        config = EnergyNetConfig(**card["network"])
        networks = []
        for file in card["files"]:
            content = folder / file["name"]
            if hashlib.sha256(content.read_bytes()).hexdigest() != file["sha256"]:
                raise BadData(f"{file['name']} is not the file that {CARD} describes; install ionscout again.")
            network = EnergyNet(config)
            network.load_state_dict({name: value.float() for name, value in load_file(content).items()})
            networks.append(network)
        return EnergyPredictor(networks, card["elements"], card["version"])
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise BadData(f"The weights of the energy GNN cannot be read ({error}); install ionscout again.") from None
