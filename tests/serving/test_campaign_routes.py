"""Campaigns over HTTP and in the shell: the loop closes, and every mistake is one sentence."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ionscout.datasets.observations.limits import UNITS
from ionscout.serving.cli import main
from ionscout.serving.client import ServiceError

HOST = "Li7La3Zr2O12"
# Compositions of one host; the hidden conductivities rise towards x = 0.3, which no model is told.
HIDDEN = {f"Li{7 - 3 * x / 100:g}Ga{x / 100:g}La3Zr2O12": 1e-8 * 10 ** (x / 10) for x in (5, 10, 15, 20, 25, 30)}
FAR = "Li3YCl6"


@pytest.fixture
def name():
    return f"garnet-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def campaign(client, name):
    client.new_campaign(name, [HOST], options={"candidates": list(HIDDEN)})
    return name


def test_three_rounds_close_the_loop(client, campaign):
    before = {p.formula: p.after for p in client.campaign_predict(campaign, [*HIDDEN, FAR]).predictions}
    measured = {}
    for number in (1, 2, 3):
        batch = client.suggest(campaign, 2)
        assert batch.batch == number
        assert len(batch.suggestions) == 2
        for suggestion in batch.suggestions:
            value = next(v for f, v in HIDDEN.items() if _same(f, suggestion.formula))
            stored = client.observe(campaign, suggestion=suggestion.id, value=value, unit="S/cm", temperature_C=25.0)
            assert stored.new
            measured[stored.observation.formula] = value
    assert len(measured) == 6  # nothing was suggested twice
    answer = client.campaign_predict(campaign, [*HIDDEN, FAR])
    assert answer.observations == 6
    for found in answer.predictions[:-1]:
        was, now, target = before[found.formula], found.after, measured[found.formula]
        assert found.before == was
        assert abs(_log(now.value) - _log(target)) < abs(_log(was.value) - _log(target))
        assert now.upper / now.lower < was.upper / was.lower
        assert now.version != was.version
    far = answer.predictions[-1]
    assert _log(far.after.value) == pytest.approx(_log(far.before.value), abs=0.05)
    status = client.campaign_status(campaign)
    assert [(r.suggested, r.measured, r.open) for r in status.rounds] == [(2, 2, 0)] * 3
    assert status.best is not None
    assert status.best.conductivity == max(HIDDEN.values())
    assert status.rounds[-1].error is not None
    assert status.rounds[0].error is not None
    assert len({s.version for s in client.export_campaign(campaign).suggestions}) == 3  # each batch names its model
    with pytest.raises(ServiceError, match="no candidate left"):
        client.suggest(campaign, 2)


def test_a_host_is_doped_with_charge_balance_and_words(client, name):
    client.new_campaign(name, [HOST], options={"elements": ["Ga", "Ta"], "co_doping": False}, seed=3)
    batch = client.suggest(name, 3)
    assert all(s.host == HOST and s.mechanism and s.explanation for s in batch.suggestions)
    assert all(s.lower < s.conductivity < s.upper for s in batch.suggestions)
    assert {"Ga", "Ta"} >= {e for s in batch.suggestions for e in ("Ga", "Ta", "Nb") if e in s.formula}


def test_the_same_post_twice_is_one_observation_and_another_content_is_409(client, campaign):
    post = {"value": 1.2, "unit": "mS/cm", "key": "17"}
    first = client.observe(campaign, HOST, **post)
    again = client.observe(campaign, HOST, **(post | {"value": 0.12, "unit": "S/m"}))
    assert (first.new, again.new) == (True, False)
    assert first.observation.id == again.observation.id
    with pytest.raises(ServiceError) as conflict:
        client.observe(campaign, HOST, **(post | {"value": 1.3}))
    assert (conflict.value.http_status, conflict.value.title) == (409, "Conflict")
    assert len(client.export_campaign(campaign).observations) == 1


def test_parallel_posts_of_one_key_are_stored_once(client, campaign):
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: client.observe(campaign, HOST, value=1.0, unit="mS/cm", key="same"), range(16)))
    assert sum(answer.new for answer in made) == 1
    assert len({answer.observation.id for answer in made}) == 1


def test_two_hundred_posts_at_once_are_all_stored(client, campaign):
    with ThreadPoolExecutor(200) as pool:
        made = [
            pool.submit(client.observe, campaign, HOST, value=1e-3 * (1 + i), unit="mS/cm", key=str(i), wait=120.0)
            for i in range(200)
        ]
        assert {one.result().observation.key for one in made} == {str(i) for i in range(200)}
    assert len(client.export_campaign(campaign).observations) == 200


BAD = {
    "negative": (400, {"value": -1.0, "unit": "mS/cm"}),
    "zero": (400, {"value": 0.0, "unit": "mS/cm"}),
    "unknown unit": (400, {"value": 1.0, "unit": "S"}),
    "no unit": (400, {"value": 1.0}),
    "text for a number": (400, {"value": "1", "unit": "S/cm"}),
    "unknown field": (400, {"value": 1.0, "unit": "mS/cm", "sigma": 1}),
    "bad formula": (400, {"formula": "LiQq", "value": 1.0, "unit": "mS/cm"}),
    "no lithium": (400, {"formula": "NaCl", "value": 1.0, "unit": "mS/cm"}),
    "celsius in kelvin": (400, {"value": 1.0, "unit": "mS/cm", "temperature_K": 25.0}),
    "failure without reason": (400, {"failed": True}),
    "unknown suggestion": (404, {"suggestion": 10**6, "value": 1.0, "unit": "mS/cm"}),
    "unknown campaign": (404, {"campaign": "nobody", "value": 1.0, "unit": "mS/cm"}),
}


@pytest.mark.parametrize(("status", "change"), BAD.values(), ids=BAD)
def test_bad_observations_are_problems_and_nothing_is_stored(status, change, client, server, campaign):
    body = {"campaign": campaign, "formula": HOST, **change}
    answer = httpx.post(f"{server.url}/observations", json=body, timeout=30)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")
    assert client.export_campaign(campaign).observations == []


def test_no_number_is_no_value(server, campaign):
    for number in (b"NaN", b"Infinity", b"1e999"):
        raw = b'{"campaign": "%s", "formula": "Li2O", "unit": "S/cm", "value": %s}' % (campaign.encode(), number)
        answer = httpx.post(f"{server.url}/observations", content=raw, headers={"content-type": "application/json"})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    ("status", "route", "body"),
    [
        (400, "/campaigns", {"name": "x", "hosts": ["NaCl"]}),
        (400, "/campaigns", {"name": "x", "hosts": []}),
        (400, "/campaigns", {"name": "../x", "hosts": [HOST]}),
        (400, "/campaigns", {"name": "x", "hosts": [HOST], "objectives": [{"name": "taste"}]}),
        (400, "/campaigns", {"name": "x", "hosts": [HOST], "options": {"method": "guess"}}),
        (400, "/campaigns", {"name": "x", "hosts": [HOST], "options": {"elements": ["Pu"]}}),
        (
            400,
            "/campaigns",
            {"name": "x", "hosts": [HOST], "constraints": [{"name": "conductivity", "minimum": 1.0, "maximum": 0.1}]},
        ),
        (404, "/campaigns/suggest", {"campaign": "nobody"}),
        (400, "/campaigns/suggest", {"campaign": "nobody", "n": 0}),
        (404, "/campaigns/status", {"campaign": "nobody"}),
        (404, "/campaigns/export", {"campaign": "nobody"}),
        (404, "/campaigns/predict", {"campaign": "nobody", "materials": [HOST]}),
    ],
)
def test_other_mistakes_are_problems_too(status, route, body, server):
    answer = httpx.post(server.url + route, json=body, timeout=30)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_bad_material_is_named_by_its_index(client, campaign):
    with pytest.raises(ServiceError) as refused:
        client.campaign_predict(campaign, [HOST, {"formula": "NaCl"}])
    assert refused.value.problem.index == 1


def test_a_failure_and_a_bound_come_back_as_they_were_sent(client, campaign):
    failed = client.observe(campaign, HOST, failed=True, reason="melted").observation
    bound = client.observe(campaign, HOST, value=1e-10, unit="S/cm", censored=True).observation
    found = client.export_campaign(campaign)
    assert [o.model_dump() for o in found.observations] == [failed.model_dump(), bound.model_dump()]
    assert "<1e-10" in found.csv
    status = client.campaign_status(campaign)
    assert (status.measured, status.bounds, status.failed, status.best) == (0, 1, 1, None)
    assert campaign in [s.campaign.name for s in client.campaigns()]


def test_docs_have_the_routes_and_their_problems(server):
    page = httpx.get(server.url + "/docs.json").json()
    for route in ("/campaigns", "/campaigns/suggest", "/campaigns/status", "/campaigns/export", "/observations"):
        responses = page["paths"][route]["post"]["responses"]
        assert {"200", "400", "404", "409"} <= set(responses)
    unit = page["components"]["schemas"]["ObservationRequest"]["properties"]["unit"]["description"]
    assert all(name in unit for name in UNITS)


def shell(monkeypatch, capsys, *arguments):
    """Run a command in this process; exit code, stdout, stderr."""
    monkeypatch.setattr("sys.argv", ["ionscout", "campaign", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


def test_the_shell_does_what_the_routes_do(monkeypatch, capsys, tmp_path):
    store = ("--store", tmp_path / "own.sqlite", "--json")
    (tmp_path / "pool.txt").write_text("\n".join(HIDDEN) + "\n\n# a comment\n")
    new = ("new", "shell", "--host", HOST, "--candidates", tmp_path / "pool.txt", *store)
    assert json.loads(shell(monkeypatch, capsys, *new)[1])["hosts"] == [HOST]
    assert shell(monkeypatch, capsys, *new)[0] == 0  # again: no error
    batch = json.loads(shell(monkeypatch, capsys, "suggest", "shell", "-n", 2, "--key", "one", *store)[1])
    first = batch["suggestions"][0]
    result = ("observe", "shell", "--suggestion", first["id"], "--value", 0.9, "--unit", "mS/cm", "-C", 25, *store)
    stored = json.loads(shell(monkeypatch, capsys, *result)[1])
    assert (stored["new"], stored["observation"]["formula"]) == (True, first["formula"])
    assert json.loads(shell(monkeypatch, capsys, *result)[1])["new"] is False
    assert shell(monkeypatch, capsys, "observe", "shell", HOST, "--failed", "melted", *store)[0] == 0
    (status,) = json.loads(shell(monkeypatch, capsys, "status", "shell", *store)[1])["campaigns"]
    assert (status["measured"], status["failed"]) == (1, 1)
    (found,) = json.loads(shell(monkeypatch, capsys, "predict", "shell", first["formula"], *store)[1])["predictions"]
    assert found["before"]["version"] != found["after"]["version"]
    code, out, _ = shell(monkeypatch, capsys, "export", "shell", "--out", tmp_path / "own.csv", *store[:2])
    assert code == 0
    assert out.strip().endswith("own.csv")
    assert first["formula"] in (tmp_path / "own.csv").read_text()
    assert "best" in shell(monkeypatch, capsys, "status", *store[:2])[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("observe", "nobody", HOST, "--value", 1, "--unit", "S/cm"),
        ("status", "nobody"),
        ("suggest", "nobody"),
        ("export", "nobody"),
        ("new", "x", "--host", "NaCl"),
        ("new", "x", "--host", HOST, "--constraint", "conductivity"),
        ("new", "x", "--host", HOST, "--constraint", "conductivity>=1", "--constraint", "conductivity<=0.1"),
        ("new", "x", "--host", HOST, "--objective", "conductivity:sideways"),
        ("new", "x", "--host", HOST, "--candidates", "/nowhere/pool.txt"),
        ("new", "x", "--host", HOST, "--temperature", 25),
    ],
    ids=lambda arguments: " ".join(map(str, arguments)),
)
def test_mistakes_in_the_shell_are_one_line_and_exit_1(arguments, monkeypatch, capsys, tmp_path):
    code, out, err = shell(monkeypatch, capsys, *arguments, "--store", tmp_path / "own.sqlite", "--json")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")


def _log(value: float) -> float:
    from math import log10

    return log10(value)


def _same(first: str, second: str) -> bool:
    from ionscout.datasets.composition import parse_formula

    return parse_formula(first).almost_equals(parse_formula(second))
