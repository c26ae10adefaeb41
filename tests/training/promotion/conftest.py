"""A small trained champion in a record of its own, and cheap further versions of it."""

from collections.abc import Callable

import mlflow
import pytest
import torch

from ionscout.datasets.settings import settings
from ionscout.datasets.sources.embedded import Embedded
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.models.conductivity.predictor import ConductivityPredictor
from ionscout.training import registry
from ionscout.training.conductivity import TrainingData, train
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.promotion.policy import read_policy
from ionscout.training.promotion.predictions import ARTIFACT, Predictions
from ionscout.training.tracking import run, use_record

SMALL = read_config(ConductivityConfig, None, "conductivity").model_copy(
    update={
        "members": 1,
        "folds": 2,
        "epochs": 2,
        "workers": 1,
        "network": NetworkConfig(width=8, head=16, crystal_layers=1),
    }
)


@pytest.fixture(scope="package")
def small():
    return SMALL


@pytest.fixture(scope="package")
def rows():
    return [m for m in Embedded().load() if m.structure is None or len(m.structure) < 60][:120]


@pytest.fixture(scope="package")
def relaxed():
    """The shipped policy for a model that two epochs made: only its intervals and physics may be poor."""
    policy = read_policy()
    calibration = policy.calibration.model_copy(update={"coverage": (0.0, 1.0)})
    physics = policy.physics.model_copy(update={"tolerance": 5.0, "materials": 1, "temperatures": (300.0, 350.0)})
    return policy.model_copy(update={"calibration": calibration, "physics": physics, "draws": 400})


@pytest.fixture(scope="package")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IONSCOUT_HOME", str(folder))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        settings.cache_clear()
        use_record()
        yield folder
    settings.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _own_record(home):
    """Tests of other folders, run in between, leave MLflow pointed at their own record."""
    use_record()


@pytest.fixture(scope="package")
def champion(home, rows) -> str:
    """Version 1, trained on the embedded rows; `home/weights` holds what `--out` writes."""
    train(TrainingData(rows, [], "embedded"), SMALL, home / "weights")
    version = registry.version_of(registry.CHAMPION)
    assert version is not None
    return version


@pytest.fixture
def another(champion, tmp_path) -> Callable[..., str]:
    """Registers the champion's weights, a little changed, as a further version with a table of its own."""

    def make(table: Callable[[Predictions], Predictions] | None = lambda same: same) -> str:
        predictor: ConductivityPredictor = registry.load_registered(registry.address(champion))
        with torch.no_grad():
            next(predictor.ensemble.parameters()).add_(1e-4 * (1 + len(registry.versions())))
        theirs = Predictions.read(registry.artifact(registry.run_of(champion), ARTIFACT) or "")
        with run("conductivity", "another", {}):
            if table is not None:
                mlflow.log_text(table(theirs).text(), ARTIFACT)
            folder = tmp_path / f"weights{len(registry.versions())}"
            predictor.save(folder)
            return registry.register(folder, predictor.card)

    return make


@pytest.fixture(autouse=True)
def _champion_again(request):
    """Every test starts from version 1 as champion."""
    if "champion" in request.fixturenames and "elsewhere" not in request.fixturenames:
        version = request.getfixturevalue("champion")
        if registry.version_of(registry.CHAMPION) != version:
            registry.set_alias(registry.CHAMPION, version)
