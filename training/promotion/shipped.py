"""The shipped weights as the first champion of a registry: a retraining is judged against what answers already."""

import hashlib
import json
import shutil
import tempfile
from importlib import resources
from pathlib import Path

import mlflow

from ionscout.models.conductivity.predictor import NAME, ConductivityPredictor
from ionscout.training import registry
from ionscout.training.promotion.predictions import ARTIFACT
from ionscout.training.registry import CHAMPION
from ionscout.training.tracking import run, use_record

TABLE = f"{NAME}_out_of_fold.csv"  # beside the weights: hashed names and predictions, no measured value
DIGEST = "out_of_fold_sha256"  # in the card: which table belongs to the weights


def table_digest(text: str) -> str:
    """sha256 of an out-of-fold table, by which a card names it."""
    return hashlib.sha256(text.encode()).hexdigest()


def shipped_folder() -> Path:
    """Where the package keeps its weights."""
    return Path(str(resources.files("ionscout.models.weights")))


def adopt_shipped(weights: Path | None = None) -> str | None:
    """Register the shipped weights and make them champion where the registry has none; the version, or None.

    Without the table that belongs to them they are adopted all the same: they can answer and be returned to, but
    nothing can be compared with them.

    Args:
        weights: folder of weights, card and table; None: those of the package.

    Raises:
        BadData: the weights cannot be read.
        DataUnavailable: the record does not answer.
    """
    use_record()
    if registry.has_champion():
        return None
    folder = shipped_folder() if weights is None else weights
    predictor = ConductivityPredictor.load(folder)
    with registry.changing():
        if registry.has_champion():
            return None
        version = _registered(predictor) or _register(folder, predictor.card)
        registry.set_alias(CHAMPION, version)
        return version


def read_table(folder: Path, card: dict) -> str | None:
    """The out-of-fold table beside weights, None where there is none or it belongs to other weights."""
    try:
        text = (folder / TABLE).read_text(encoding="utf-8")
    except OSError:
        return None
    return text if table_digest(text) == card.get(DIGEST) else None


def _registered(predictor: ConductivityPredictor) -> str | None:
    """A version of the same weights: an earlier adoption was killed before its alias was set."""
    for version in registry.versions():
        card = json.loads(registry.artifact(registry.run_of(version), "model_card.json") or "{}")
        if card.get("weights_sha256") == predictor.card["weights_sha256"]:
            return version
    return None


def _register(weights: Path, card: dict) -> str:
    table = read_table(weights, card)
    with (
        run(NAME, "shipped weights", {"version": card["version"], "trained_on": card["trained_on"]}),
        tempfile.TemporaryDirectory() as folder,
    ):
        if table is not None:
            mlflow.log_text(table, ARTIFACT)
        mlflow.log_dict(card, "model_card.json")
        for ending in ("json", "safetensors"):  # and not the weights of other models beside them
            shutil.copy(weights / f"{NAME}.{ending}", folder)
        return registry.register(Path(folder), card)
