"""The MLflow registry: versions of a model, and the aliases that say which one answers."""

from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from ionscout.datasets.errors import DataUnavailable
from ionscout.models.conductivity.predictor import NAME, ConductivityPredictor
from ionscout.training.tracking import use_record

CHAMPION, CHALLENGER = "champion", "challenger"


def register(weights: Path, card: dict) -> str:
    """Log a folder of weights in the active run as a model from code, register it, and return its version.

    The first version becomes champion; later ones are challengers, and only a promotion changes that.
    """
    logged = mlflow.pyfunc.log_model(
        name=NAME,
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"weights": str(weights)},
        pip_requirements=["ionscout"],
        registered_model_name=NAME,
        metadata={"version": card["version"], "weights_sha256": card["weights_sha256"]},
    )
    version = str(logged.registered_model_version)
    client = mlflow.MlflowClient()
    alias = CHALLENGER if has_champion() else CHAMPION
    client.set_registered_model_alias(NAME, alias, version)
    return version


def has_champion(name: str = NAME) -> bool:
    """Whether some version carries the alias `champion`."""
    try:
        mlflow.MlflowClient().get_model_version_by_alias(name, CHAMPION)
    except MlflowException:
        return False
    return True


def load_champion(uri: str | None = None) -> ConductivityPredictor:
    """The model at an MLflow address, or the shipped weights when there is none."""
    return ConductivityPredictor.load() if uri is None else load_registered(uri)


def load_registered(uri: str) -> ConductivityPredictor:
    """Load the predictor behind `models:/conductivity@champion` or another MLflow model address.

    Raises:
        DataUnavailable: when the record has no such model.
    """
    use_record()
    try:
        folder = Path(mlflow.artifacts.download_artifacts(uri))
    except (MlflowException, OSError) as error:
        raise DataUnavailable(
            f"MLflow has no model {uri} ({str(error).splitlines()[0]}); run `ionscout train conductivity` first."
        ) from None
    found = next(iter(folder.rglob(f"{NAME}.json")), None)
    if found is None:
        raise DataUnavailable(f"{uri} holds no conductivity weights; register one with `ionscout train conductivity`.")
    return ConductivityPredictor.load(found.parent)
