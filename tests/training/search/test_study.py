"""The study of a search in another database than the default one."""

from optuna.trial import TrialState

from ionscout.datasets.settings import settings
from ionscout.training.search.study import REASON, counted, identity_of, open_study


def test_a_study_in_postgresql_goes_on_and_counts_what_ended(postgres_url, tmp_path, monkeypatch):
    monkeypatch.setenv("IONSCOUT_HOME", str(tmp_path))
    settings.cache_clear()
    identity = identity_of(data=1)
    with open_study("pg", postgres_url, identity, 0) as study:
        study.tell(study.ask(), 1.0)
        impossible = study.ask()
        impossible.set_user_attr(REASON, "it diverged")
        study.tell(impossible, state=TrialState.FAIL)
        lost = study.ask()
        lost.suggest_float("x", 0, 1)
    with open_study("pg", postgres_url, identity, 0) as study:
        assert [trial.number for trial in counted(study)] == [0, 1]
        again = study.ask()
        assert again.suggest_float("x", 0, 1) == lost.params["x"]
    assert not list(tmp_path.rglob("*.db"))
    settings.cache_clear()
