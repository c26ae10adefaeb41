"""The rehearsed campaign, with a model and a laboratory whose disagreement is known."""

import math
from types import SimpleNamespace

import pytest
from pymatgen.core import Composition

from ionscout.datasets.errors import BadData
from ionscout.datasets.observations.store import ObservationStore
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import Measurement
from ionscout.models.conductivity.predictor import ConductivityPrediction
from ionscout.serving import campaign_answers as answers
from ionscout.serving import campaign_rehearsal
from ionscout.serving import campaign_schemas as schemas
from ionscout.serving.campaign_client import CampaignCalls
from ionscout.serving.campaign_rehearsal import LAB_OFFSET, laboratory, rehearse
from ionscout.serving.campaign_rehearsal_page import logged, markdown
from ionscout.training.active.advisor import Advisor

OFFSET = 1.0  # decades by which the laboratory's samples conduct better than the model thinks


class Flat:
    version = "flat"

    def predict(self, materials, temperature_K=298.15):
        return [
            ConductivityPrediction(1e-6, 1e-8, 1e-4, 0.9, temperature_K, 0.3, 0.1, True, "composition", "flat", "flat")
            for _ in materials
        ]


class Direct(CampaignCalls):
    """The client without a server between it and the answers."""

    def __init__(self, store):
        self.store, self.advisor = store, Advisor(Flat())

    def _call(self, method, route, body=None):
        asked, answer, *rest = {
            "/campaigns": (schemas.CampaignRequest, answers.answer_new),
            "/campaigns/suggest": (schemas.SuggestRequest, answers.answer_suggest, self.advisor),
            "/campaigns/predict": (schemas.CampaignPredictRequest, answers.answer_predict, Flat()),
            "/observations": (schemas.ObservationRequest, answers.answer_observe),
        }[route]
        return answer(asked.model_validate(body), self.store, *rest).model_dump(mode="json")


@pytest.fixture
def rows():
    compositions = [
        Composition(f"Li{7 - x / 10:g}La3Zr{2 - x / 10:g}{dopant}{x / 10:g}O12")
        for dopant in ("Ta", "Nb")
        for x in range(1, 20)
    ]
    return [
        Measurement(str(i), c.formula.replace(" ", ""), c, None, -6 + OFFSET, source="lab")
        for i, c in enumerate(compositions)
    ]


@pytest.fixture
def rehearsal(rows, tmp_path):
    store = ObservationStore(str(tmp_path / "store.sqlite"))
    yield rehearse(Direct(store), rows, "rehearsal", rounds=3, per_round=4, seed=1)
    store.close()


def test_what_the_laboratory_finds_helps_where_nobody_measured(rehearsal):
    errors = [one.error for one in rehearsal.rounds]
    assert errors[0] == pytest.approx(OFFSET)
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 0.3 * OFFSET
    assert [one.observations for one in rehearsal.rounds] == [0, 4, 8, 12]
    assert rehearsal.rounds[-1].narrower == 1.0
    assert rehearsal.rounds[-1].width < rehearsal.rounds[0].width
    assert rehearsal.rounds[-1].best == pytest.approx(-5)
    assert rehearsal.pool + rehearsal.held_out == 38


def test_every_round_is_in_the_record(rehearsal, rows, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setenv("IONSCOUT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings.cache_clear()
    try:
        number = logged(rehearsal, rows, "rehearsal")
        history = mlflow.MlflowClient().get_metric_history(number, "error")
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert [point.value for point in history] == [one.error for one in rehearsal.rounds]
    page = markdown(rehearsal)
    assert page.count("\n| ") == 1 + len(rehearsal.rounds)
    assert not math.isnan(rehearsal.rounds[-1].near_error)


def test_the_history_is_drawn(rows, tmp_path):
    from ionscout.serving.campaign_figure import history_figure

    store = ObservationStore(str(tmp_path / "store.sqlite"))
    client = Direct(store)
    rehearse(client, rows, "drawn", rounds=2, per_round=3)
    client.observe("drawn", rows[0].formula, failed=True, reason="melted")
    client.observe("drawn", rows[1].formula, value=1e-9, unit="S/cm", censored=True)
    (status,) = answers.answer_status(schemas.StatusRequest(campaign="drawn"), store).campaigns
    assert [step.batch for step in status.history] == [1, 1, 1, 2, 2, 2, 2, 2]
    assert all(step.lower < step.predicted < step.upper for step in status.history[:6])
    content = history_figure(status, tmp_path / "figure.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 10_000
    store.close()


def known(monkeypatch, *sources):
    """Let these sources be all that there is, 50 compositions each."""
    rows = [
        Measurement(f"{source}{x}", "", Composition({"Li": 1 + x / 5, element: 1, "Cl": 4}), None, -4.0, source=source)
        for source, element in zip(sources, ("Y", "In"), strict=False)
        for x in range(50)
    ]
    monkeypatch.setattr(campaign_rehearsal, "joined_table", lambda: SimpleNamespace(measurements=rows * 2))


def test_a_table_that_the_model_was_not_trained_on_goes_first(monkeypatch):
    known(monkeypatch, "obelix", "liverpool")
    rows, offset = laboratory("OBELiX train.csv + embedded")
    assert offset is None
    assert {m.source for m in rows} == {"liverpool"}
    assert len(rows) == 50  # each composition once
    assert {m.log10_conductivity for m in rows} == {-4.0}


def test_without_one_the_laboratory_has_an_effect_of_its_own(monkeypatch):
    known(monkeypatch, "obelix", "liverpool")
    rows, offset = laboratory("obelix (478), liverpool (500)", seed=3)
    again, _ = laboratory("obelix (478), liverpool (500)", seed=3)
    assert offset == LAB_OFFSET
    values = [m.log10_conductivity for m in rows]
    assert values == [m.log10_conductivity for m in again]
    assert sum(values) / len(values) == pytest.approx(-4 + LAB_OFFSET, abs=0.15)
    assert {m.source for m in rows} == {"simulated"}


def test_too_few_rows_are_said(monkeypatch):
    monkeypatch.setattr(campaign_rehearsal, "joined_table", lambda: SimpleNamespace(measurements=[]))
    with pytest.raises(BadData, match="IONSCOUT_DATA_DIR"):
        laboratory("embedded")
