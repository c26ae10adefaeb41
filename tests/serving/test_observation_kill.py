"""A server killed in the middle of 200 posts loses nothing that it acknowledged, and stores nothing twice."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from ionscout.datasets.observations.checking import Report
from ionscout.datasets.observations.records import NewCampaign
from ionscout.datasets.observations.store import ObservationStore
from ionscout.serving.launch import running_server

POSTS = 200
KILL_AFTER = 60  # acknowledgements, while all others are on their way


def body(number: int) -> dict:
    return {"formula": "Li7La3Zr2O12", "value": 1e-4 * (1 + number), "unit": "mS/cm", "key": f"post-{number}"}


def kill(pid: int) -> None:
    """SIGKILL for the server we started and its workers; no process gets a chance to finish anything."""
    parent = psutil.Process(pid)
    family = [parent, *parent.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_killed_server_loses_no_acknowledged_observation_and_stores_none_twice(
    database, request, tmp_path, monkeypatch
):
    url = str(tmp_path / "store.sqlite") if database == "sqlite" else request.getfixturevalue("postgres_url")
    ObservationStore(url).create(NewCampaign("garnet", ("Li7La3Zr2O12",)))
    monkeypatch.setenv("IONSCOUT_STORE", url)
    acknowledged: list[str] = []
    enough, dead = threading.Event(), threading.Event()
    with running_server() as server, httpx.Client(base_url=server.url, timeout=30, limits=httpx.Limits()) as http:

        def post(number: int) -> None:
            while not dead.is_set():
                try:
                    answer = http.post("/observations", json={"campaign": "garnet", **body(number)})
                except httpx.HTTPError:
                    return  # nobody acknowledged it: it may be stored or not
                if answer.status_code == 200:
                    acknowledged.append(answer.json()["observation"]["key"])
                    if len(acknowledged) >= KILL_AFTER:
                        enough.set()
                    return
                assert answer.status_code == 503, answer.text  # more wait than may: come back
                time.sleep(0.05)

        with ThreadPoolExecutor(POSTS) as pool:
            running = [pool.submit(post, number) for number in range(POSTS)]
            try:
                assert enough.wait(60), "the server acknowledged too few posts"
            finally:
                kill(server.process.pid)
                dead.set()
            for one in running:
                one.result()
    assert KILL_AFTER <= len(acknowledged) < POSTS  # it really was in the middle
    assert len(set(acknowledged)) == len(acknowledged)

    store = ObservationStore(url)
    stored = [o.key for o in store.observations("garnet")]
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))

    # every client sends again what it does not know the fate of, with its old key
    again = [store.observe("garnet", Report(**body(number))) for number in range(POSTS)]
    assert {a.observation.key for a in again if not a.new} == set(stored)
    kept = {o.key: o.value for o in store.observations("garnet")}
    assert len(store.observations("garnet")) == len(kept) == POSTS
    assert kept == {f"post-{number}": body(number)["value"] for number in range(POSTS)}
