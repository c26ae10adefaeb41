"""The service answers with a registered model when told to, and with the shipped one otherwise."""

import pytest

from ionscout.datasets.settings import settings
from ionscout.datasets.structure import parse_material


@pytest.fixture
def record(tmp_path, monkeypatch):
    """An MLflow record of its own, with the shipped weights registered as champion."""
    monkeypatch.setenv("IONSCOUT_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings.cache_clear()
    from ionscout.models.conductivity.predictor import ConductivityPredictor
    from ionscout.training.registry import register
    from ionscout.training.tracking import run

    shipped = ConductivityPredictor.load()
    with run("conductivity", "registered for a test", {}):
        shipped.save(tmp_path / "weights")
        register(tmp_path / "weights", shipped.card)
    yield shipped
    monkeypatch.undo()
    settings.cache_clear()


def test_the_service_loads_the_champion_of_the_record(record, monkeypatch):
    from ionscout.serving.service import IonScout

    monkeypatch.setenv("IONSCOUT_MODEL_URI", "models:/conductivity@champion")
    settings.cache_clear()
    service = IonScout.inner()
    (model,) = service.model_list().models
    assert model.source == "models:/conductivity@champion"
    assert model.version == record.version
    lithium = [parse_material("Li6PS5Cl")]
    assert service.predictor.predict(lithium) == record.predict(lithium)
