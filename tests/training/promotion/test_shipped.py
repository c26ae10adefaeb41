"""The shipped weights are the first champion of an empty registry, and what a retraining has to beat."""

import json
import shutil

import mlflow
import pytest

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.settings import settings
from ionscout.training import registry
from ionscout.training.conductivity import TrainingData
from ionscout.training.promotion import shipped
from ionscout.training.promotion.decide import out_of_fold
from ionscout.training.promotion.predictions import ARTIFACT
from ionscout.training.promotion.shipped import DIGEST, TABLE, adopt_shipped, read_table
from ionscout.training.registry import CHAMPION, NotPromoted
from ionscout.training.retraining import pipeline
from ionscout.training.retraining.pipeline import retrain
from ionscout.training.retraining.snapshot import assemble
from ionscout.training.tracking import use_record


@pytest.fixture(scope="module")
def weights(home, champion):
    """A folder as `ionscout train conductivity --out` writes it."""
    return home / "weights"


@pytest.fixture(scope="module")
def elsewhere(champion, tmp_path_factory):
    """Another home, whose record has no version of anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IONSCOUT_HOME", str(tmp_path_factory.mktemp("elsewhere")))
        settings.cache_clear()
        use_record()
        yield
    settings.cache_clear()
    use_record()


@pytest.fixture
def empty(elsewhere, weights, tmp_path, monkeypatch):
    """That record, empty; a copy of the weights as the ones that ship."""
    if registry.versions():
        mlflow.MlflowClient().delete_registered_model("conductivity")
    copy = shutil.copytree(weights, tmp_path / "weights")
    monkeypatch.setattr(shipped, "shipped_folder", lambda: copy)
    monkeypatch.setattr(pipeline, "train", lambda *a, **k: pytest.fail("nothing may be trained"))
    return copy


def test_a_training_writes_its_table_beside_the_weights_and_the_card_names_it(weights, champion):
    card = json.loads((weights / "conductivity.json").read_text())
    assert read_table(weights, card) == registry.artifact(registry.run_of(champion), ARTIFACT)
    assert read_table(weights, card | {DIGEST: "of other weights"}) is None
    assert read_table(weights / "nowhere", card) is None


def test_an_empty_registry_adopts_the_shipped_weights_with_their_table_once(empty):
    assert adopt_shipped() == registry.version_of(CHAMPION) == "1"
    answering = registry.load_registered("models:/conductivity@champion")
    assert answering.version == json.loads((empty / "conductivity.json").read_text())["version"]
    assert out_of_fold("1").text() == (empty / TABLE).read_text()
    assert adopt_shipped() is None
    mlflow.MlflowClient().delete_registered_model_alias("conductivity", CHAMPION)  # as if killed before it was set
    assert adopt_shipped() == "1"
    assert registry.versions() == ["1"]


def test_a_retraining_without_the_rows_of_the_shipped_champion_is_refused_before_the_fit(empty, rows, small, relaxed):
    fewer = assemble(TrainingData(rows[:60], [], "embedded (60)"), [], small, relaxed)
    with pytest.raises(NotPromoted, match=rf"rows: {len(rows) - 60} of {len(rows)} rows .*IONSCOUT_DATA_DIR"):
        retrain(fewer)
    assert registry.version_of(CHAMPION) == "1"


def test_shipped_weights_without_a_table_answer_but_nothing_can_replace_them_unseen(empty, rows, small, relaxed):
    (empty / TABLE).unlink()
    taken = assemble(TrainingData(rows, [], "embedded"), [], small, relaxed)
    with pytest.raises(DataUnavailable, match=r"no out-of-fold table.*--force"):
        retrain(taken)
    registry.load_registered("models:/conductivity@champion")


def test_a_state_that_speaks_of_another_record_is_not_taken_over(empty, rows, small, relaxed):
    taken = assemble(TrainingData(rows[:70], [], "embedded"), [], small, relaxed)
    stages = pipeline.Stages(settings().home / "retraining" / taken.key)
    for stage in pipeline.STAGES:
        stages.finish(stage, {"version": "1", "run": "of a record that was deleted"})
    with pytest.raises(NotPromoted, match="rows"):  # it began anew, and came to this
        retrain(taken)
