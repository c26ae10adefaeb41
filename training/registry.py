"""The MLflow registry: versions of a model, and the aliases that say which one answers.

Every change sets the new champion first and moves the other aliases after it, so that a kill at any point leaves a
working champion; `previous_version` does not depend on the alias that may then be late.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from ionscout.datasets.errors import DataUnavailable, IonscoutError
from ionscout.datasets.settings import settings
from ionscout.models.conductivity.predictor import NAME, ConductivityPredictor
from ionscout.training.locks import held
from ionscout.training.tracking import use_record

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # what MLflow says of unknown models and of aliases
REPLACED = "ionscout.replaced"  # tag of a version: which one it took over from


class NotPromoted(IonscoutError):
    """The registry stays as it is; the message says why."""

    title = "Not promoted"
    http_status = 409


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
    with changing():
        set_alias(CHALLENGER if has_champion() else CHAMPION, version)
    return version


def set_alias(alias: str, version: str, name: str = NAME) -> None:
    """Let an alias name a version."""
    mlflow.MlflowClient().set_registered_model_alias(name, alias, version)


def version_of(alias: str, name: str = NAME) -> str | None:
    """The version that carries an alias, None if there is none.

    Raises:
        MlflowException: the record does not answer, which must not pass for an empty one.
    """
    try:
        return str(mlflow.MlflowClient().get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise


def has_champion(name: str = NAME) -> bool:
    """Whether some version carries the alias `champion`."""
    return version_of(CHAMPION, name) is not None


def run_of(version: str, name: str = NAME) -> str:
    """The run that made a version.

    Raises:
        DataUnavailable: there is no such version.
    """
    try:
        return str(mlflow.MlflowClient().get_model_version(name, version).run_id)
    except MlflowException:
        known = ", ".join(versions(name)) or "none"
        raise DataUnavailable(f"The record has no version {version} of {name}; it has: {known}.") from None


def versions(name: str = NAME) -> list[str]:
    """All versions, the oldest first."""
    found = mlflow.MlflowClient().search_model_versions(f"name = '{name}'")
    return sorted((str(v.version) for v in found), key=int)


def address(version: str, name: str = NAME) -> str:
    """The MLflow address of one version."""
    return f"models:/{name}/{version}"


def make_champion(version: str, name: str = NAME) -> None:
    """Let a version answer from now on, and remember which one it replaced.

    Of the champion itself it moves those aliases that a kill left behind.

    Raises:
        DataUnavailable, BadData: its weights cannot be loaded; nothing has changed then.
    """
    load_registered(address(version, name))
    client = mlflow.MlflowClient()
    champion = version_of(CHAMPION, name)
    if champion == version:
        old = previous_version(name)
    else:
        old = champion
        if old is not None:
            client.set_model_version_tag(name, version, REPLACED, old)
        set_alias(CHAMPION, version, name)
    if old is not None:
        set_alias(PREVIOUS, old, name)
    if version_of(CHALLENGER, name) == version:
        client.delete_registered_model_alias(name, CHALLENGER)


def previous_version(name: str = NAME) -> str | None:
    """The version that the champion replaced, None if it is the first."""
    champion = version_of(CHAMPION, name)
    if champion is None:
        return None
    tags = mlflow.MlflowClient().get_model_version(name, champion).tags
    return tags.get(REPLACED) or version_of(PREVIOUS, name)


def rollback(name: str = NAME) -> tuple[str, str]:
    """Let the version before the champion answer again; twice undoes it. Returns (left, now answering).

    Raises:
        NotPromoted: there is nothing to go back to.
        DataUnavailable, BadData: the former version cannot be loaded.
    """
    use_record()
    with changing():
        champion, before = version_of(CHAMPION, name), previous_version(name)
        if champion is None or before is None:
            raise NotPromoted(f"The champion of {name} replaced no other version, so there is none to go back to.")
        make_champion(before, name)
        return champion, before


@contextmanager
def changing() -> Iterator[None]:
    """One change of aliases at a time on this machine.

    A tracking server has no lock that would outlive a kill in the right way, so two machines are not kept apart here;
    whoever decides reads the champion again inside (`decide`), which leaves milliseconds in which the later change wins
    and the earlier one is still reachable by its number.

    Raises:
        NotPromoted: another process has held the lock for a minute.
    """
    path = settings().home / "mlruns" / "aliases.lock"
    busy = NotPromoted(f"Another process has been changing aliases for a minute (lock {path}); run the command again.")
    with held(path, busy, seconds=60, again=True):
        yield


def load_champion(uri: str | None = None) -> ConductivityPredictor:
    """The model at an MLflow address, or the shipped weights when there is none."""
    return ConductivityPredictor.load() if uri is None else load_registered(uri)


def load_registered(uri: str) -> ConductivityPredictor:
    """Load the predictor behind `models:/conductivity@champion` or another MLflow model address.

    Raises:
        DataUnavailable: when the record has no such model.
    """
    use_record()
    with weights_folder(uri) as folder:
        return ConductivityPredictor.load(folder)


@contextmanager
def weights_folder(uri: str) -> Iterator[Path]:
    """A folder with a copy of the weights of an MLflow model address, which is gone afterwards.

    Raises:
        DataUnavailable: when the record has no such model.
    """
    with tempfile.TemporaryDirectory(prefix="ionscout-model-") as copy:
        try:
            folder = Path(mlflow.artifacts.download_artifacts(uri, dst_path=copy))
        except (MlflowException, OSError) as error:
            raise DataUnavailable(
                f"MLflow has no model {uri} ({str(error).splitlines()[0]}); run `ionscout train conductivity` first."
            ) from None
        found = next(iter(folder.rglob(f"{NAME}.json")), None)
        if found is None:
            raise DataUnavailable(
                f"{uri} holds no conductivity weights; register one with `ionscout train conductivity`."
            )
        yield found.parent


def artifact(run_id: str, name: str) -> str | None:
    """Text of an artifact of a run, None where it has none of this name."""
    try:
        return str(mlflow.artifacts.load_text(f"runs:/{run_id}/{name}"))
    except (MlflowException, OSError):
        return None
