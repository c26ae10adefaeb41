"""What one machine of a team does with the record, run by `test_tracking_server` as a process of its own.

It is told nothing but `MLFLOW_TRACKING_URI`: everything it reads back came from that address.
"""

import json
import sys

from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.embedded import Embedded
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.training import registry
from ionscout.training.conductivity import TrainingData, train
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.promotion.decide import promote
from ionscout.training.promotion.policy import PromotionPolicy, read_policy
from ionscout.training.tracking import use_record


def rows() -> list[Measurement]:
    return [m for m in Embedded().load() if m.structure is not None and len(m.structure) < 40][:30]


def config(seed: int) -> ConductivityConfig:
    small = {"seed": seed, "members": 1, "folds": 2, "epochs": 2, "workers": 1}
    network = NetworkConfig(width=8, head=16, crystal_layers=1)
    return read_config(ConductivityConfig, None, "conductivity").model_copy(update={**small, "network": network})


def lenient() -> PromotionPolicy:
    """Two epochs on thirty rows make no model: only the way to the decision is of interest here."""
    shipped = read_policy()
    parts = {
        "accuracy": {"margin": 9.0},
        "calibration": {"coverage": (0.0, 1.0), "width_ratio": 9.0},
        "physics": {"tolerance": 9.0, "materials": 1, "temperatures": (300.0, 350.0)},
    }
    return shipped.model_copy(update={name: getattr(shipped, name).model_copy(update=u) for name, u in parts.items()})


def trains() -> dict:
    """Two trainings and a decision."""
    first, second = (train(TrainingData(rows(), [], "embedded"), config(seed)) for seed in (0, 1))
    decision = promote(rows(), lenient())
    return {"trained": [first.version, second.version], "outcome": decision.outcome, "words": decision.words}


def follows() -> dict:
    """The champion as another machine fetches it, and after a rollback."""
    use_record()
    fetched = registry.load_registered("models:/conductivity@champion")
    left, now = registry.rollback()
    back = registry.load_registered("models:/conductivity@champion")
    (answer,) = back.predict([rows()[0].material()])
    return {"fetched": fetched.version, "left": left, "now": now, "back": back.version, "sigma": answer.conductivity}


if __name__ == "__main__":
    print("\n" + json.dumps({"trains": trains, "follows": follows}[sys.argv[1]]()))
