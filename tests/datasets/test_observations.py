"""The observation store: what is stored once, what is refused, and what several processes do to it at once."""

import math
import multiprocessing
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ionscout.datasets.errors import BadFormula, DataUnavailable, InvalidInput, NoLithium, UnknownName
from ionscout.datasets.observations.checking import Report, checked
from ionscout.datasets.observations.engine import shown, store_url
from ionscout.datasets.observations.limits import UNITS
from ionscout.datasets.observations.records import (
    BadCampaign,
    BadObservation,
    Conflict,
    Constraint,
    NewCampaign,
    NewSuggestion,
    Objective,
    UnknownCampaign,
    UnknownSuggestion,
)
from ionscout.datasets.observations.store import ObservationStore

GARNET = NewCampaign("garnet", ("Li7La3Zr2O12",))
REPORT = Report("Li6.4Ga0.2La3Zr2O12", 1.2, "mS/cm", key="a")


def suggestion(formula: str, **changes) -> NewSuggestion:
    made = NewSuggestion(
        formula, "Li7La3Zr2O12", "Ga³⁺ on Li⁺", 0.3, "highest", 1e-3, 1e-5, 1e-1, 0.9, 298.15, "conductivity", "abc"
    )
    return replace(made, **changes)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    url = str(tmp_path / "store.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = ObservationStore(url)
    opened.create(GARNET)
    yield opened
    opened.close()


def test_what_goes_in_comes_out(store):
    campaign = NewCampaign(
        "two-hosts",
        ("Li6PS5Cl", "Li3YCl6"),
        (Objective("conductivity", weight=2.0), Objective("energy_above_hull", "minimise")),
        (Constraint("oxidation_limit", minimum=2.5),),
        temperature_K=333.15,
        seed=2**40,
        options={"elements": ["Ga", "Al"], "most": 0.5},
    )
    stored = store.create(campaign)
    assert store.campaigns() == [store.campaign("garnet"), stored]
    assert {name: getattr(stored, name) for name in vars(campaign)} == vars(campaign) | {
        "hosts": ("Li6PS5Cl", "Li3YCl6")
    }
    assert abs((datetime.now(UTC) - stored.created).total_seconds()) < 60
    (first, second) = store.add_batch(
        "garnet", [suggestion("Li6.4Ga0.2La3Zr2O12", cif="data_x", scores={"window": 2.5}), suggestion("Li7La3Zr2O12")]
    )
    assert (first.batch, first.rank, second.rank, first.status) == (1, 1, 2, "open")
    assert (first.cif, first.scores) == ("data_x", {"window": 2.5})
    report = replace(REPORT, measured_by="Ω lab", measured_on="2026-11-20", source="10.1000/x", kind="total")
    found = store.observe("garnet", replace(report, suggestion=first.id)).observation
    assert (found.conductivity, found.value, found.unit) == (pytest.approx(1.2e-3), 1.2, "mS/cm")
    assert (found.measured_by, found.measured_on, found.source, found.kind) == (
        "Ω lab",
        "2026-11-20",
        "10.1000/x",
        "total",
    )
    assert (found.temperature_K, found.batch, found.suggestion) == (298.15, 1, first.id)
    assert store.observations("garnet") == [found]
    assert [s.status for s in store.suggestions("garnet")] == ["measured", "open"]
    assert store.observations("two-hosts") == []


def test_the_same_key_and_content_is_stored_once_and_other_content_refused(store):
    first = store.observe("garnet", REPORT)
    again = store.observe("garnet", replace(REPORT, value=0.0012, unit="S/cm", temperature_C=25.0))
    assert (first.new, again.new) == (True, False)
    assert again.observation == first.observation
    with pytest.raises(Conflict, match="new key"):
        store.observe("garnet", replace(REPORT, value=1.3))
    assert store.observations("garnet") == [first.observation]


def test_a_key_belongs_to_its_campaign(store):
    store.create(replace(GARNET, name="other"))
    assert store.observe("garnet", REPORT).new
    assert store.observe("other", replace(REPORT, value=5.0)).new


def test_without_a_key_equal_content_is_one_observation(store):
    bare = replace(REPORT, key=None)
    assert [store.observe("garnet", bare).new for _ in range(2)] == [True, False]
    assert store.observe("garnet", replace(bare, measured_by="another lab")).new


KEYS = st.sampled_from(["a", "b", "c"])
CONTENTS = st.sampled_from([REPORT, replace(REPORT, value=2.0), Report("Li7La3Zr2O12", failed=True, reason="melted")])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(posts=st.lists(st.tuples(KEYS, CONTENTS), max_size=8))
def test_whatever_is_posted_each_key_keeps_its_first_content(posts, tmp_path_factory):
    store = ObservationStore(str(tmp_path_factory.mktemp("store") / "store.sqlite"))
    store.create(GARNET)
    kept: dict[str, Report] = {}
    for key, content in posts:
        first = kept.setdefault(key, content)
        if first == content:
            assert store.observe("garnet", replace(content, key=key)).observation.key == key
        else:
            with pytest.raises(Conflict):
                store.observe("garnet", replace(content, key=key))
    assert {o.key: o.digest for o in store.observations("garnet")} == {
        key: checked(content).digest for key, content in kept.items()
    }
    store.close()


@given(st.floats(1e-12, 1e-1), st.sampled_from(sorted(UNITS)))
def test_units_are_one_scale(conductivity, unit):
    found = checked(Report("Li6PS5Cl", conductivity / UNITS[unit], unit))
    assert found.conductivity == pytest.approx(conductivity, rel=1e-12)
    assert found.digest == checked(Report("Li6PS5Cl", conductivity, "S/cm")).digest


def test_a_centimetre_is_a_hundredth_of_a_metre():
    assert checked(Report("Li6PS5Cl", 0.1, "S/m")).conductivity == pytest.approx(1e-3)


BAD = {
    "negative": replace(REPORT, value=-1.0),
    "zero": replace(REPORT, value=0.0),
    "NaN": replace(REPORT, value=math.nan),
    "infinite": replace(REPORT, value=math.inf),
    "unknown unit": replace(REPORT, unit="S"),
    "no unit": replace(REPORT, unit=None),
    "no value": replace(REPORT, value=None),
    "above any solid": replace(REPORT, value=50.0, unit="S/cm"),
    "no formula": replace(REPORT, formula="LiXx"),
    "no lithium": replace(REPORT, formula="NaCl"),
    "nothing named": replace(REPORT, formula=None),
    "celsius in kelvin": replace(REPORT, temperature_K=25.0),
    "two temperatures": replace(REPORT, temperature_K=298.15, temperature_C=25.0),
    "below absolute zero": replace(REPORT, temperature_C=-300.0),
    "NaN kelvin": replace(REPORT, temperature_K=math.nan),
    "unknown kind": replace(REPORT, kind="grain"),
    "failure without reason": Report("Li2O", failed=True),
    "failure with value": replace(REPORT, failed=True, reason="melted"),
    "bad CIF": replace(REPORT, cif="data_x no cell"),
    "empty key": replace(REPORT, key=""),
    "long key": replace(REPORT, key="k" * 200),
    "character 0": replace(REPORT, measured_by="a\0b"),
    "lone surrogate": replace(REPORT, source="\ud800"),
    "unknown suggestion": replace(REPORT, suggestion=99),
}


@pytest.mark.parametrize("report", BAD.values(), ids=BAD)
def test_bad_reports_are_one_sentence_and_leave_nothing(report, store):
    with pytest.raises(InvalidInput) as refused:
        store.observe("garnet", report)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")
    assert store.observations("garnet") == []


def test_the_kind_of_error_is_told(store):
    for report, kind in ((BAD["no lithium"], NoLithium), (BAD["no formula"], BadFormula)):
        with pytest.raises(kind):
            store.observe("garnet", report)
    with pytest.raises(UnknownCampaign, match="there are: garnet") as unknown:
        store.observe("nobody", REPORT)
    with pytest.raises(UnknownSuggestion) as missing:
        store.observe("garnet", BAD["unknown suggestion"])
    assert (unknown.value.http_status, missing.value.http_status) == (404, 404)
    with pytest.raises(BadObservation, match="did you mean 25 °C"):
        checked(BAD["celsius in kelvin"])


def test_failures_and_bounds_are_results(store):
    (offered,) = store.add_batch("garnet", [suggestion("Li6.4Ga0.2La3Zr2O12")])
    failed = store.observe("garnet", Report(suggestion=offered.id, failed=True, reason="La2Zr2O7 formed")).observation
    assert (failed.conductivity, failed.reason, failed.formula) == (None, "La2Zr2O7 formed", offered.formula)
    assert store.suggestions("garnet")[0].status == "failed"
    bound = store.observe("garnet", replace(REPORT, value=1e-10, unit="S/cm", censored=True)).observation
    assert (bound.censored, bound.suggestion) == (True, offered.id)  # found by its composition
    assert store.suggestions("garnet")[0].status == "measured"
    store.observe("garnet", Report(suggestion=offered.id, failed=True, reason="again"))
    assert store.suggestions("garnet")[0].status == "measured"


def test_a_formula_that_is_not_the_suggested_one_is_refused(store):
    (offered,) = store.add_batch("garnet", [suggestion("Li6.4Ga0.2La3Zr2O12")])
    with pytest.raises(BadObservation, match="leave the suggestion out"):
        store.observe("garnet", Report("Li6PS5Cl", 1.0, "mS/cm", suggestion=offered.id))


@pytest.mark.parametrize(
    "campaign",
    [
        replace(GARNET, name=""),
        replace(GARNET, name="../x"),
        replace(GARNET, hosts=()),
        replace(GARNET, hosts=("NaCl",)),
        replace(GARNET, hosts=("Li7Qq",)),
        replace(GARNET, objectives=()),
        replace(GARNET, objectives=(Objective("x"), Objective("x"))),
        replace(GARNET, objectives=(Objective("x", weight=0.0),)),
        replace(GARNET, constraints=(Constraint("x"),)),
        replace(GARNET, constraints=(Constraint("x", minimum=3.0, maximum=2.0),)),
        replace(GARNET, constraints=(Constraint("x", minimum=3.0), Constraint("x", maximum=2.0))),
        replace(GARNET, temperature_K=25.0),
        replace(GARNET, seed=-1),
    ],
    ids=str,
)
def test_bad_campaigns_are_refused(campaign, tmp_path):
    store = ObservationStore(str(tmp_path / "store.sqlite"))
    with pytest.raises(InvalidInput):
        store.create(campaign)
    assert store.campaigns() == []


def test_a_name_stands_for_one_definition(store):
    assert store.create(GARNET) == store.campaign("garnet")
    with pytest.raises(Conflict):
        store.create(replace(GARNET, seed=1))
    with pytest.raises(BadCampaign, match="contradict"):
        store.create(replace(GARNET, constraints=(Constraint("x", 2.0, 1.0),)))


def test_a_batch_asked_for_twice_under_one_key_is_one_batch(store):
    first = store.add_batch("garnet", [suggestion("Li7La3Zr2O12")], key="r1")
    assert store.add_batch("garnet", [suggestion("Li2O")], key="r1") == first == store.batch("garnet", "r1")
    assert store.add_batch("garnet", [suggestion("Li2O")], key="r2")[0].batch == 2
    assert store.batch("garnet", "r3") == []


def open_and_write(url, together, counts):
    together.wait(30)
    own = ObservationStore(url)
    own.create(GARNET)
    counts.put(sum(own.observe("garnet", replace(REPORT, key=str(i))).new for i in range(20)))


@pytest.mark.skipif(sys.platform == "win32", reason="forks, to spare the imports")
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_processes_that_open_and_write_at_once_do_not_clash(database, request, tmp_path):
    url = str(tmp_path / "new.sqlite") if database == "sqlite" else request.getfixturevalue("postgres_url")
    context = multiprocessing.get_context("fork")
    together, counts = context.Barrier(6), context.Queue()
    started = [context.Process(target=open_and_write, args=(url, together, counts)) for _ in range(6)]
    for process in started:
        process.start()
    new = [counts.get(timeout=60) for _ in started]
    for process in started:
        process.join(30)
    assert [process.exitcode for process in started] == [0] * 6
    assert sum(new) == 20  # each key was new to exactly one of them
    assert len(ObservationStore(url).observations("garnet")) == 20


def test_addresses_of_stores(tmp_path):
    assert store_url(str(tmp_path / "a.sqlite")).database == str(tmp_path / "a.sqlite")
    assert store_url("postgresql://me:secret@db/lab").drivername == "postgresql+psycopg"
    assert "secret" not in shown(store_url("postgresql://me:secret@db/lab"))
    for wrong in ("mysql://x/y", "sqlite://", "://"):
        with pytest.raises(UnknownName):
            store_url(wrong)


def test_a_database_that_does_not_answer_is_said_in_a_sentence():
    with pytest.raises(DataUnavailable, match="does not answer") as refused:
        ObservationStore("postgresql://me:secret@127.0.0.1:1/lab")
    assert "secret" not in str(refused.value)


def test_a_commit_reaches_the_disk(tmp_path):
    store = ObservationStore(str(tmp_path / "store.sqlite"))
    with store.engine.connect() as connection:
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
