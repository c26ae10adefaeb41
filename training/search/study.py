"""The study that a search keeps: a SQLite file by default, so that a killed search goes on where it was."""

import hashlib
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.settings import settings
from ionscout.training.locks import held
from ionscout.training.retraining.state import AlreadyRunning
from ionscout.training.search.pruning import FoldPruner

# Attributes of trials.
AS_IT_IS = "as_it_is"  # the configuration before the search
REASON = "reason"  # why it has no score; a failed trial without one was interrupted by a kill

STARTUP = 10  # random trials before the sampler believes what it sees, Optuna's own number


@contextmanager
def open_study(name: str, url: str | None, identity: dict[str, str], seed: int) -> Iterator[optuna.Study]:
    """The study of this name, new or begun earlier, held by this process alone.

    Trials that a killed search left running are marked failed, and what they tried is tried again first.

    Args:
        url: of a database, as SQLAlchemy takes it; None: `mlruns/search/<name>.db` in the home folder.
        identity: what may not change between a search and its resumption, by the word for it.

    Raises:
        BadData: the name cannot be used, or the study was begun with something else.
        DataUnavailable: the database cannot be used. AlreadyRunning: another search holds the study.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise BadData(f"'{name}' cannot name a study; use letters, digits, '.', '_' and '-'.")
    folder = search_folder()
    url = url or f"sqlite:///{folder / name}.db"
    path = folder / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:8]}.lock"
    busy = AlreadyRunning(f"The study '{name}' is being searched already; wait, or choose another --name.")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with held(path, busy):
        study = _load(name, url, seed)
        _same(study, identity)
        _reclaim(study)
        yield study


def search_folder() -> Path:
    """Where studies and found configurations are kept: `mlruns/search` in the home folder, ignored by git."""
    folder = settings().home / "mlruns" / "search"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def identity_of(**parts: object) -> dict[str, str]:
    """A short hash of each part."""
    return {
        name.replace("_", " "): hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]
        for name, part in parts.items()
    }


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that count: finished, stopped early, or impossible; not those that a kill interrupted."""
    kept = (TrialState.COMPLETE, TrialState.PRUNED)
    return [t for t in study.get_trials(deepcopy=False) if t.state in kept or REASON in t.user_attrs]


def as_it_is(study: optuna.Study) -> FrozenTrial | None:
    """The trial of the configuration before the search, if it lies in the space and has a score."""
    return next((t for t in counted(study) if AS_IT_IS in t.user_attrs and t.state is TrialState.COMPLETE), None)


def _load(name: str, url: str, seed: int) -> optuna.Study:
    try:
        storage = optuna.storages.RDBStorage(url)
        study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True, pruner=FoldPruner())
    except (SQLAlchemyError, ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise DataUnavailable(f"The study cannot be opened ({reason}); give --study as sqlite:///FILE.") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "multivariate" is called experimental since 2020
        # A resumed search must not propose what the first one did: its seed moves on with the trials.
        study.sampler = optuna.samplers.TPESampler(
            seed=seed + len(study.get_trials(deepcopy=False)), n_startup_trials=STARTUP, multivariate=True
        )
    return study


def _same(study: optuna.Study, identity: dict[str, str]) -> None:
    begun = study.user_attrs.get("identity")
    if begun is None:
        study.set_user_attr("identity", identity)
    elif begun != identity:
        words = " and ".join(part for part in identity if begun.get(part) != identity[part])
        raise BadData(
            f"The study '{study.study_name}' was begun with another {words}, and scores cannot be compared; "
            "choose another --name."
        )


def _reclaim(study: optuna.Study) -> None:
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if tried := trial.params or trial.system_attrs.get("fixed_params"):
            study.enqueue_trial(tried, user_attrs={AS_IT_IS: True} if AS_IT_IS in trial.user_attrs else None)
