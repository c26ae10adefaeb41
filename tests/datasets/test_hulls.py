"""Hull providers: what is kept, what is found, what is refused; the pull against a local server."""

import gzip
import json
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from ionscout.datasets import hulls
from ionscout.datasets.errors import BadData, DataUnavailable, UnknownName, UnsupportedElement
from ionscout.datasets.hulls import TableHull, load_hull, materials_project, pull, snapshot
from ionscout.datasets.settings import settings

needs_data = pytest.mark.skipif(settings().data_dir is None, reason="IONSCOUT_DATA_DIR is not set")

# Invented energies, eV/atom.
ROWS = {"Li2O": -2.0, "Li3PS4": -1.1, "P2S5": -0.5, "LaLiO2": -3.0, "TaLi3O4": -2.9, "WO3": -2.2, "PbO": -1.1}


def table(**more: float) -> TableHull:
    rows = ROWS | more
    return TableHull("test", "1", "invented", list(rows), list(rows.values()), "test")


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """No data folder and an empty cache."""
    monkeypatch.setenv("IONSCOUT_DATA_DIR", "")
    monkeypatch.setenv("IONSCOUT_CACHE_DIR", str(tmp_path / "cache"))
    # The tables of these tests lack the reference phases of the shipped anchors.
    monkeypatch.setattr(snapshot, "load_snapshot", partial(snapshot.load_snapshot, anchored=None))
    settings.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    settings.cache_clear()


# --- tables ---------------------------------------------------------------------------------------------------------


def test_a_chemical_system_holds_its_compounds_and_elements_only():
    assert {phase.formula for phase in table().phases(["Li", "P", "S"])} == {"Li3PS4", "P2S5", "Li", "P", "S"}


def test_elements_stand_at_zero():
    assert {p.energy for p in table().phases(["Li", "P", "S", "O"]) if len(p.composition) == 1} == {0.0}


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.sets(st.sampled_from(["Li", "O", "P", "S", "La", "Ta", "W", "Pb"]), min_size=1))
def test_the_bit_mask_finds_what_a_search_would(elements):
    found = {p.formula for p in table().phases(elements)}
    searched = {p.formula for p in table().phases(table().elements) if {e.symbol for e in p.composition} <= elements}
    assert found == searched


def test_columns_are_the_phases_as_arrays():
    hull = table()
    columns = hull.columns(["S", "Li", "P"])
    assert columns.elements == ("Li", "P", "S")
    np.testing.assert_allclose(columns.fractions.sum(axis=0), 1.0)
    for number, fractions, energy in zip(columns.ids, columns.fractions.T, columns.energies, strict=True):
        phase = hull.phase(int(number))
        assert phase.energy == energy
        np.testing.assert_allclose(fractions, [phase.composition.get_atomic_fraction(e) for e in columns.elements])


def test_only_the_ground_state_of_a_composition_is_kept():
    hull = table(Li4O2=-2.5, Li6O3=-1.0)
    assert [p.energy for p in hull.phases(["Li", "O"]) if len(p.composition) == 2] == [-2.5]
    assert hull.energy_of(Composition("Li2O")) == -2.5
    assert hull.energy_of(Composition("Li2O2")) is None


def test_compositions_can_be_narrowed_to_an_element():
    assert set(table().compositions("W")) == {"WO3", "W"}
    assert len(table().compositions()) == len(table())


def test_formulas_with_brackets_and_fractions_are_read():
    hull = TableHull("test", "1", "", ["LiTi2(PO4)3", "Li0.5CoO2"], [-2.0, -1.0], "test")
    assert hull.energy_of(Composition("Li2Ti4P6O24")) == -2.0
    assert hull.energy_of(Composition("LiCo2O4")) == -1.0


@pytest.mark.parametrize(
    ("formulas", "energies", "sentence"),
    [
        (["Li2O", "Xy3"], [-2.0, -1.0], "not a formula"),
        (["Li2O"], [float("nan")], "no finite energy for Li2O"),
        (["Li2O", "Li"], [-2.0, -0.3], "element Li, not 0"),
        (["Li2O"], [-2.0, -1.0], "1 formulas but 2 energies"),
        ([], [], "empty"),
    ],
)
def test_tables_that_are_no_hull_are_refused(formulas, energies, sentence):
    with pytest.raises(BadData, match=sentence):
        TableHull("test", "1", "", formulas, energies, "test")


def test_an_element_without_data_is_named():
    with pytest.raises(UnsupportedElement, match="no phase with Ge, Xe"):
        table().phases(["Li", "Xe", "Ge"])


# --- names ----------------------------------------------------------------------------------------------------------


def test_an_unknown_hull_lists_those_that_exist():
    with pytest.raises(UnknownName, match="mp-2019, learned, mp-api, file"):
        load_hull("oqmd")


def test_the_default_is_the_snapshot_where_present_and_learned_elsewhere(elsewhere):
    assert hulls.default_hull_name() == "learned"
    target = settings().cache_dir / snapshot.FILE
    target.parent.mkdir(parents=True)
    target.write_bytes(gzip.compress(b"formula,Ef_eV_atom,Ed_eV_atom\nLi2O1,-2.0,-0.5\n"))
    assert hulls.default_hull_name() == "mp-2019"
    assert load_hull().name == "mp-2019"


def test_a_missing_snapshot_names_the_command_that_gets_it(elsewhere):
    with pytest.raises(DataUnavailable, match="ionscout data pull mp-2019"):
        load_hull("mp-2019")


def test_a_damaged_snapshot_is_refused(elsewhere):
    path = elsewhere / "bad.csv.gz"
    for content, sentence in ((b"x,y\n", "columns"), (b"formula,Ef_eV_atom,Ed_eV_atom\nLi2O1,abc,0\n", "damaged row")):
        path.write_bytes(gzip.compress(content))
        with pytest.raises(BadData, match=sentence):
            snapshot.load_snapshot(path)
    path.write_bytes(b"not gzip")
    with pytest.raises(BadData, match="cannot be read"):
        snapshot.load_snapshot(path)


def test_anchored_phases_join_the_snapshot_and_say_so(tmp_path):
    base = tmp_path / "base.csv"
    base.write_text("formula,Ef_eV_atom,Ed_eV_atom\nLi1Cl1,-2.0,-0.5\nCl3Y1,-2.6,-0.5\n")
    extra = tmp_path / "anchored.csv"
    extra.write_text(
        "# with a comment\nformula,reaction,delta_E_eV_atom,structure,note\n"
        "Li3YCl6,3 LiCl + YCl3 -> Li3YCl6,-0.01,a.cif,invented\nLiCl,Li + Cl -> LiCl,-9.0,b.cif,known already\n"
    )
    bare, hull = snapshot.load_snapshot(base, None), snapshot.load_snapshot(base, extra)
    assert hull.energy_of(Composition("Li3YCl6")) == pytest.approx((6 * -2.0 + 4 * -2.6) / 10 - 0.01)
    assert hull.energy_of(Composition("LiCl")) == -2.0
    found = {p.formula: p for p in hull.phases(["Li", "Y", "Cl"])}
    assert found["Li3YCl6"].provenance == "anchored"
    assert found["Li3YCl6"].composition == Composition("Li3YCl6")
    assert hull.columns(["Li", "Y", "Cl"]).fractions.shape == (3, 6)
    assert bare.energy_of(Composition("Li3YCl6")) is None
    assert len(hull) == len(bare) + 1
    assert hull.version.startswith(f"{bare.version}+anchored-")


# --- user files -----------------------------------------------------------------------------------------------------


def test_a_csv_of_formation_energies_is_a_hull(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("formula,energy_eV_atom\nLi2O,-2.0\nLi2O2,-1.6\n")
    hull = load_hull("file", path)
    assert hull.energy_of(Composition("Li2O2")) == -1.6
    assert load_hull(path=path) is hull
    path.write_text("formula,energy_eV_atom\nLi2O,-2.1\n")
    assert load_hull("file", path).version != hull.version


ENTRIES = [
    {"composition": {"Li": 2}, "energy": -4.0},
    {"composition": {"Li": 1}, "energy": -1.5},  # a less stable form
    {"composition": {"O": 2}, "energy": -10.0, "correction": -1.0},
    {"composition": {"Li": 4, "O": 2}, "energy": -30.0, "energy_adjustments": [{"adj_per_atom": -0.5, "n_atoms": 2}]},
]


@pytest.mark.parametrize(
    "pack", [lambda x: x, lambda x: {"entries": x}, lambda x: {str(i): e for i, e in enumerate(x)}]
)
def test_computed_entries_become_formation_energies_against_their_own_elements(tmp_path, pack):
    path = tmp_path / "entries.json.gz"
    path.write_bytes(gzip.compress(json.dumps(pack(ENTRIES)).encode()))
    # Li4O2: −31 eV with its correction, minus 4 · (−2.0) and 2 · (−5.5) eV, over six atoms
    assert load_hull("file", path).energy_of(Composition("Li2O")) == pytest.approx((-31 + 8 + 11) / 6)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a,b\n1,2\n", "needs a column of formulas"),
        ("formula,energy_eV_atom\n", "no rows"),
        ("formula,energy_eV_atom\nLi2O,none\n", "line 2: 'none' is not an energy"),
        ("formula,energy_eV_atom\nLi2Q,-1\n", "not a formula"),
        ("[1, 2", "is not JSON"),
        ("[1, 2]", "list of pymatgen"),
        ('[{"energy": 1}]', "entry 1 needs a composition"),
        ('[{"composition": {"Li": 1}, "energy": null}]', "finite energy"),
        ('[{"composition": {"Li": 2, "O": 1}, "energy": -3}]', "no entry of the element Li"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "bad.txt"
    path.write_text(content)
    with pytest.raises(BadData, match=sentence) as raised:
        load_hull("file", path)
    assert "\n" not in str(raised.value)


def test_the_file_hull_needs_a_file(tmp_path):
    with pytest.raises(BadData, match="path"):
        load_hull("file")
    with pytest.raises(BadData, match="cannot be read"):
        load_hull("file", tmp_path / "missing.csv")


# --- Materials Project ----------------------------------------------------------------------------------------------


def test_the_live_hull_asks_for_its_package_and_for_a_key(monkeypatch):
    monkeypatch.setattr(materials_project, "find_spec", lambda name: None)
    with pytest.raises(DataUnavailable, match="pip install"):
        load_hull("mp-api")
    monkeypatch.setattr(materials_project, "find_spec", lambda name: object())
    for name in materials_project.KEYS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataUnavailable, match="MP_API_KEY"):
        load_hull("mp-api")


def test_the_live_hull_fetches_each_system_once_and_keeps_its_numbers(monkeypatch, tmp_path):
    asked = []

    def fetch(self, system):
        asked.append(system)
        return (
            [("Li2O", -2.0), ("Li", 0.0), ("O2", 0.0)] if "O" in system else [("Li2S", -1.4), ("Li", 0.0), ("S", 0.0)]
        )

    monkeypatch.setattr(materials_project.MaterialsProjectHull, "_fetch", fetch)
    hull = materials_project.MaterialsProjectHull("key", tmp_path)
    first = hull.columns(["Li", "O"])
    before = hull.version
    second = hull.columns(["Li", "S"])
    assert [hull.phase(int(n)).formula for n in first.ids] == ["Li2O", "Li", "O2"]
    assert [hull.phase(int(n)).formula for n in second.ids] == ["Li2S", "Li", "S"]
    assert hull.energy_of(Composition("Li2S")) == -1.4
    assert hull.version != before
    again = materials_project.MaterialsProjectHull("key", tmp_path)
    again.phases(["Li", "O"])
    assert asked == [["Li", "O"], ["Li", "S"]]
    assert "key" not in "".join(path.read_text() for path in tmp_path.iterdir())


# --- pull -----------------------------------------------------------------------------------------------------------

PUBLIC = {
    f"{folder}/{part}.csv": f"formula,target\nLi{number}O1,{-energy - number}\n".encode()
    for folder, energy in (("CritExam__Ef", 1.5), ("CritExam__Ed", 0.25))
    for number, part in enumerate(("train", "val", "test"), start=1)
}
JOINED = [(f"Li{n}O1", -1.5 - n, -0.25 - n) for n in (1, 2, 3)]


class _Server(BaseHTTPRequestHandler):
    """Serves PUBLIC; knows range requests when `ranges` is set."""

    ranges = True
    requests: list[tuple[str, str | None]] = []  # noqa: RUF012, reset by each test

    def do_GET(self):
        self.requests.append((self.path, self.headers.get("Range")))
        body = PUBLIC.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        start = 0
        if self.ranges and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(elsewhere, monkeypatch):
    handler = type("Handler", (_Server,), {"requests": []})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    running.server_close()


def test_the_pull_joins_both_tables_and_the_hull_finds_them(server):
    _, url = server
    seen = []
    path = pull.pull_snapshot(url, progress=lambda *state: seen.append(state), sha256=pull.canonical(JOINED))
    assert path == settings().cache_dir / snapshot.FILE
    assert snapshot.read_table(path)[0] == JOINED
    assert load_hull().energy_of(Composition("Li3O")) == -4.5
    assert seen[0] == (
        "CritExam__Ef-train.csv",
        len(PUBLIC["CritExam__Ef/train.csv"]),
        len(PUBLIC["CritExam__Ef/train.csv"]),
    )
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_pull_continues_where_it_stopped(server, ranges):
    handler, url = server
    handler.ranges = ranges
    partial = settings().cache_dir / snapshot.FILE.parent / "partial"
    partial.mkdir(parents=True)
    (partial / "CritExam__Ef-train.csv").write_bytes(PUBLIC["CritExam__Ef/train.csv"])
    (partial / "CritExam__Ef-val.part").write_bytes(PUBLIC["CritExam__Ef/val.csv"][:9])
    path = pull.pull_snapshot(url, sha256=None)
    assert snapshot.read_table(path)[0] == JOINED
    asked = dict(handler.requests)
    assert "/CritExam__Ef/train.csv" not in asked
    assert asked["/CritExam__Ef/val.csv"] == "bytes=9-"


def test_a_part_that_is_too_long_is_fetched_anew(server):
    _, url = server
    partial = settings().cache_dir / snapshot.FILE.parent / "partial"
    partial.mkdir(parents=True)
    (partial / "CritExam__Ed-test.part").write_bytes(b"x" * 500)
    assert snapshot.read_table(pull.pull_snapshot(url, sha256=None))[0] == JOINED


def test_another_table_than_the_tested_one_is_not_kept(server):
    _, url = server
    with pytest.raises(BadData, match="differs from the snapshot"):
        pull.pull_snapshot(url)
    assert snapshot.find_snapshot() is None


def test_a_file_that_is_gone_is_named(server):
    _, url = server
    with pytest.raises(DataUnavailable, match=r"404 for /other/CritExam__Ef/train\.csv"):
        pull.pull_snapshot(f"{url}/other")


def test_without_network_one_sentence_names_the_command(elsewhere):
    with pytest.raises(DataUnavailable, match="ionscout data pull mp-2019") as raised:
        pull.pull_snapshot("http://127.0.0.1:9")
    assert "\n" not in str(raised.value)


def test_the_digest_does_not_depend_on_order_or_on_digits_beyond_a_microvolt():
    rows = [("Li2O1", -2.0, -0.5), ("Li1P1", -0.1, 1e-9)]
    same = [("P1Li1", -0.1000000001, -1e-9), ("O1Li2", -2.0, -0.5)]
    assert pull.canonical(rows) == pull.canonical(same)
    assert pull.canonical(rows) != pull.canonical([("Li2O1", -2.00001, -0.5), rows[1]])


# --- the snapshot itself --------------------------------------------------------------------------------------------


@needs_data
def test_the_shared_snapshot_is_the_one_that_the_pull_expects():
    assert pull.verify_snapshot(Path(settings().data_dir) / snapshot.FILE)


@needs_data
def test_the_snapshot_is_complete_and_names_its_scale():
    hull = load_hull("mp-2019")
    assert len(hull) >= 85_014
    assert "legacy" in hull.correction
    assert {p.provenance for p in hull.phases(["Li", "P", "S"])} <= {"mp-2019", "element", "anchored"}
