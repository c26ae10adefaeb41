"""The Python client: typed answers and typed errors."""

import pytest

from ionscout.datasets.errors import IonscoutError
from ionscout.serving.client import Client, ServiceError, ServiceUnreachable
from ionscout.serving.launch import free_port
from ionscout.serving.schemas import CrystalRequest


def test_a_problem_becomes_a_typed_error(client):
    with pytest.raises(ServiceError, match="no lithium") as failed:
        client.predict(formula="NaCl")
    assert failed.value.title == "No lithium"
    assert failed.value.http_status == 400
    assert isinstance(failed.value, IonscoutError)


def test_the_index_of_a_bad_item_is_in_the_error(client):
    with pytest.raises(ServiceError, match=r"item 1") as failed:
        client.predict_many([{"formula": "Li2O"}, {"formula": "NaCl"}])
    assert failed.value.problem.index == 1


def test_requests_can_be_models_or_dicts(client):
    answers = client.predict_many([CrystalRequest(formula="Li2O", temperature_K=350.0), {"formula": "Li2O"}])
    assert answers[0].conductivity.temperature_K == 350.0
    assert answers[1].conductivity.temperature_K == 298.15


def test_ready_says_whether_somebody_answers(client):
    assert client.ready()
    assert not Client(f"http://127.0.0.1:{free_port()}").ready()


def test_nobody_there_is_an_error_that_says_what_to_do():
    with (
        Client(f"http://127.0.0.1:{free_port()}") as lonely,
        pytest.raises(ServiceUnreachable, match="ionscout serve"),
    ):
        lonely.predict(formula="Li2O")
