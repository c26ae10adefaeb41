"""`ionscout screen`: what the rows get, whatever they come in."""

import csv
import gc
import gzip
import json
import tarfile
import tracemalloc
import zipfile

import pyarrow
import pyarrow.parquet
import pytest
from bad_inputs import BAD_INPUTS, many_atoms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from screens import FORMULAS, HULL, crystals, in_process, mixed_rows, read_lines, write_lines

from ionscout.datasets.errors import BadData, DataUnavailable, OutOfRange, UnknownName
from ionscout.datasets.structure import parse_material
from ionscout.serving.answers import answer
from ionscout.serving.screen import ScreenOptions, run, screen
from ionscout.serving.screen.inputs import read_rows
from ionscout.serving.screen.options import Identity
from ionscout.serving.screen.records import BadRow, Record, significant
from ionscout.serving.screen.rows import Row, Shard, shards, survey
from ionscout.serving.screen.score import Scorer

EVERYTHING = ScreenOptions(hull=HULL)
STABILITY = ScreenOptions(("stability",), hull=HULL)


@pytest.fixture(scope="module")
def scorer():
    return Scorer(EVERYTHING)


@pytest.fixture
def here(monkeypatch):
    in_process(monkeypatch)


@pytest.fixture(scope="module")
def answers(scorer):
    return dict(zip([row.id for row in mixed_rows()], scorer.records(mixed_rows()), strict=True))


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(order=st.permutations(range(len(mixed_rows()))), size=st.integers(1, 25))
def test_neither_order_nor_batches_change_an_answer(scorer, answers, order, size):
    rows = mixed_rows()
    for start in range(0, len(rows), size):
        batch = [rows[k] for k in order[start : start + size]]
        assert scorer.records(batch) == [answers[row.id] for row in batch]


def test_the_bytes_of_a_shard_do_not_depend_on_what_came_before(scorer):
    one, two = (Shard(k, tuple(mixed_rows()[6 * k : 6 * k + 6])) for k in (0, 1))
    first = scorer.score(one)
    scorer.score(two)
    assert scorer.score(one) == first


def test_answers_are_those_of_predict(scorer, answers):
    from ionscout.serving.answers import ThermodynamicsChoice, load_predictor

    names = [*FORMULAS[:4], "lgps.cif"]
    materials = [parse_material(crystals().get(name, name)) for name in names]
    said = answer(load_predictor(), materials, [298.15] * 5, [ThermodynamicsChoice(True, HULL)] * 5)
    for name, prediction in zip(names, said, strict=True):
        record = answers[name]
        assert record.conductivity_S_cm == pytest.approx(prediction.conductivity.value, rel=1e-3)
        assert record.conductivity_upper_S_cm == pytest.approx(prediction.conductivity.upper, rel=1e-3)
        assert record.activation_energy_upper_eV == pytest.approx(prediction.activation_energy.upper, abs=1e-4)
        assert record.reduction_limit_V == pytest.approx(prediction.window.reduction_limit, abs=1e-4)
        assert record.practical_oxidation_limit_V == pytest.approx(
            prediction.window.practical_oxidation_limit, abs=1e-4
        )
        assert record.interphase_class == prediction.lithium_interphase.interphase_class
        assert list(record.deciding_products) == prediction.lithium_interphase.deciding_products
        assert record.energy_above_hull_eV_atom == pytest.approx(prediction.energy_above_hull, abs=1e-4)
        assert record.in_domain == prediction.conductivity.in_domain


def test_one_prediction_alone_is_the_same_number(answers):
    alone = Scorer(STABILITY).records(mixed_rows()[:6])
    for record in alone:
        assert record.energy_above_hull_eV_atom == answers[record.id].energy_above_hull_eV_atom
        assert record.decomposition_products == answers[record.id].decomposition_products


def test_bad_rows_go_to_the_side_file_and_stop_nothing(here, tmp_path):
    records = [{"id": "first", "formula": "Li2O"}]
    for bad in BAD_INPUTS:
        text = {"text": bad.content.decode("latin-1"), "format": "cif"}
        records.append({"id": bad.name, **({"formula": bad.formula} if bad.formula else text)})
    records += [{"id": "nan", "formula": float("nan")}, {}, {"id": "number", "formula": 7}, {"id": "last", "cif": 1}]
    path = write_lines(tmp_path / "in.jsonl", [*records, {"id": "good", "formula": "LiCl"}])
    with path.open("ab") as file:
        file.write(b'\nnot json\n"Li2S"\n[1]\n\xff\xfe\n{"formula": ' + b'"Li' + b"2" * 5_000_000 + b'"}\n{"id": 1')
    found = screen(path, tmp_path / "out.jsonl", STABILITY)
    good, bad = read_lines(found.output), read_lines(found.side_file)
    assert [row["id"] for row in good] == ["first", "good", str(len(records) + 3)]
    assert found.answered == 3
    assert found.answered + found.bad == found.rows == len(records) + 8
    assert sorted(row["row"] for row in good + bad) == list(range(found.rows))
    by_name = {row["id"]: row for row in bad}
    for name, title in [(bad.name, bad.title) for bad in BAD_INPUTS if bad.content.strip() or bad.formula]:
        assert by_name[name]["title"] == title
    assert all(row["reason"].strip() and "Traceback" not in row["reason"] for row in bad)
    assert not any(row["title"].startswith("Defect") for row in bad)


def test_a_folder_reports_its_bad_files(here, tmp_path):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for name, text in crystals().items():
        (folder / name).write_text(text)
    (folder / "sub" / "huge.cif").write_bytes(many_atoms(10_000))
    (folder / "sub" / "image.cif").write_bytes(bytes(range(256)))
    (folder / "sub" / "long.cif").write_bytes(b"data_x\n" * 200_000)
    (folder / "README.md").write_text("not a crystal")
    (folder / ".hidden.cif").write_text("not looked at")
    found = screen(folder, tmp_path / "out.csv", STABILITY)
    with found.output.open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == list(crystals())
    titles = {row["id"]: row["title"] for row in read_lines(found.side_file)}
    assert titles == {
        "sub/huge.cif": "Too many sites",
        "sub/image.cif": "Unreadable structure",
        "sub/long.cif": "Text too large",
    }


def test_every_input_format_gives_the_same_bytes(here, tmp_path):
    texts = crystals()
    table = [{"id": name, "cif": text} for name, text in texts.items()]
    folder = tmp_path / "crystals"
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(folder, arcname=".", filter=lambda member: member if member.isfile() or member.name == "." else None)
    with tarfile.open(tmp_path / "b.tar", "w") as tar, zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        for name in texts:
            tar.add(folder / name, arcname=name)
            archive.write(folder / name, arcname=name)
    write_lines(tmp_path / "d.jsonl", table)
    (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress((tmp_path / "d.jsonl").read_bytes()))
    with (tmp_path / "f.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["ID", " Cif "])
        writer.writeheader()
        writer.writerows({"ID": row["id"], " Cif ": row["cif"]} for row in table)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), tmp_path / "g.parquet")
    structures = [
        {"id": n, "structure": parse_material(t, "cif").structure.as_dict(verbosity=0)} for n, t in texts.items()
    ]
    write_lines(tmp_path / "h.jsonl", structures)

    found = {}
    for source in sorted(tmp_path.iterdir()):
        summary = screen(source, tmp_path / "out" / f"{source.name}.jsonl", EVERYTHING)
        assert summary.answered == len(texts)
        found[source.name] = summary
    lines = {name: read_lines(summary.output) for name, summary in found.items()}
    for row in lines["a.tar.gz"]:
        row["id"] = row["id"].removeprefix("./")
    lines["a.tar.gz"] = [
        {**row, "row": k} for k, row in enumerate(sorted(lines["a.tar.gz"], key=lambda row: row["id"]))
    ]
    as_json = [{**row, "source_format": "cif", "warnings": []} for row in lines.pop("h.jsonl")]
    reference = lines["d.jsonl"]
    assert all(content == reference for content in lines.values())
    assert [row["formula"] for row in as_json] == [row["formula"] for row in reference]
    same = {summary.input_sha256 for name, summary in found.items() if name[0] in "bcdefg"}
    assert len(same) == 1  # one content, one hash, whatever it is packed in


def test_every_output_format_says_the_same(here, tmp_path):
    source = write_lines(tmp_path / "in.jsonl", [{"id": f, "formula": f} for f in (*FORMULAS, "NaCl")])
    for suffix in ("jsonl", "csv", "parquet"):
        screen(source, tmp_path / f"out.{suffix}", EVERYTHING)
    reference = read_lines(tmp_path / "out.jsonl")
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist() == reference
    with (tmp_path / "out.csv").open(newline="") as file:
        for row, expected in zip(csv.DictReader(file), reference, strict=True):
            assert list(row) == list(expected)
            assert float(row["conductivity_S_cm"]) == expected["conductivity_S_cm"]
            assert row["decomposition_products"] == "; ".join(expected["decomposition_products"])
    sides = {(tmp_path / f"out.{suffix}.bad.jsonl").read_bytes() for suffix in ("jsonl", "csv", "parquet")}
    assert len(sides) == 1


def test_only_what_is_wanted_is_written(here, tmp_path):
    source = write_lines(tmp_path / "in.jsonl", ["Li2O"])
    screen(source, tmp_path / "out.jsonl", ScreenOptions(("conductivity",), temperature_K=350.0))
    (row,) = read_lines(tmp_path / "out.jsonl")
    assert row["temperature_K"] == 350.0
    assert {"model", "coverage", "in_domain"} <= set(row)
    assert not {"hull", "reduction_limit_V", "interphase_class"} & set(row)


def test_bulk_conductivities_can_be_screened_for(here, tmp_path):
    source = write_lines(tmp_path / "in.jsonl", ["Li6PS5Cl"])
    for kind in ("total", "bulk"):
        screen(source, tmp_path / f"{kind}.jsonl", ScreenOptions(("conductivity",), kind=kind))
    (total,), (bulk,) = (read_lines(tmp_path / f"{kind}.jsonl") for kind in ("total", "bulk"))
    assert (total["conductivity_kind"], bulk["conductivity_kind"]) == ("total", "bulk")
    assert bulk["conductivity_S_cm"] > total["conductivity_S_cm"]


def test_an_element_that_no_model_knows_is_a_bad_row(scorer):
    (row,) = scorer.records([Row(0, "x", "Li3NeCl6", "formula")])
    assert isinstance(row, BadRow)
    assert "no compound of Ne" in row.reason
    assert row.title != "Defect of ionscout"


def test_a_worker_with_another_model_refuses(scorer):
    scorer.require(scorer.identity)
    with pytest.raises(BadData, match="was begun with conductivity other and hull learned"):
        scorer.require(Identity("conductivity other", scorer.identity.hull))


def test_a_row_that_breaks_the_model_costs_no_other_row(scorer, monkeypatch):
    whole = scorer._predict

    def breaks(materials):
        if any(material.formula == "Li2O" for material in materials):
            raise RuntimeError("of this one")
        return whole(materials)

    monkeypatch.setattr(scorer, "_predict", breaks)
    good, bad = scorer.records([Row(0, "a", "LiCl", "formula"), Row(1, "b", "Li2O", "formula")])
    assert isinstance(good, Record)
    assert isinstance(bad, BadRow)
    assert "of this one" in bad.reason


class Echo:
    """Answers at once, so that what is measured is reading, storing and joining."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def identify(self):
        return Identity("echo", "")

    def score(self, stream, expected):
        for shard in stream:
            lines = "".join(f'+{{"row": {row.number}, "id": "{row.id}"}}\n' for row in shard.rows)
            yield shard.number, len(shard.rows), lines.encode()


def test_memory_does_not_grow_with_the_rows(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "open_engine", lambda *_: Echo())
    peaks = []
    for count in (1_000, 10_000):
        path = tmp_path / f"{count}.csv"
        path.write_text("id,formula\n" + "".join(f"{k},Li{k}Cl{k}\n" for k in range(count)))
        gc.collect()
        tracemalloc.start()
        summary = screen(path, tmp_path / f"{count}.jsonl", ScreenOptions(("conductivity",), shard_rows=200))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert summary.answered == count
    assert peaks[1] < peaks[0] + 1_000_000  # bytes; nine thousand rows kept would be five times that


def test_large_texts_make_smaller_shards():
    rows = [Row(k, str(k), "x" * 1_000_000, "cif") for k in range(10)]
    found = list(shards(rows, 512))
    assert [len(shard.rows) for shard in found] == [4, 4, 2]
    assert [row for shard in found for row in shard.rows] == rows


def test_every_worker_gets_a_shard_of_a_small_input_and_no_input_makes_shards_without_end():
    assert ScreenOptions().shard_size(10) == 16
    assert ScreenOptions().shard_size(20_000) == 313
    assert ScreenOptions().shard_size(10**8) == 1024
    assert ScreenOptions(shard_rows=7).shard_size(10**8) == 7


def test_a_shard_survives_the_way_to_another_machine():
    shard = Shard(3, tuple(mixed_rows()))
    assert Shard.from_bytes(shard.to_bytes()) == shard


def test_the_order_of_rows_is_part_of_the_input_hash():
    rows = mixed_rows()
    assert survey(rows).sha256 == survey(iter(rows)).sha256 != survey(rows[::-1]).sha256


def test_inputs_that_cannot_be_read_are_refused_in_one_sentence(here, tmp_path):
    (tmp_path / "no_column.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "what.txt").write_text("Li2O")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04nothing")
    (tmp_path / "broken.tar.gz").write_bytes(gzip.compress(b"no tar at all" * 100)[:40])
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(b"formula\n" + b"Li2O\n" * 99)[:-9])
    for name in (
        "no_column.csv",
        "empty.jsonl",
        "what.txt",
        "broken.zip",
        "broken.tar.gz",
        "broken.parquet",
        "broken.csv.gz",
    ):
        with pytest.raises(BadData) as caught:
            screen(tmp_path / name, tmp_path / "out.jsonl", STABILITY)
        assert str(caught.value).endswith(".")
        assert not (tmp_path / "out.jsonl").exists()
    with pytest.raises(DataUnavailable, match="no file or folder"):
        list(read_rows(tmp_path / "absent.jsonl"))
    with pytest.raises(BadData, match=r"\.jsonl, \.csv or \.parquet"):
        screen(tmp_path / "empty.jsonl", tmp_path / "out.xlsx", STABILITY)
    with pytest.raises(UnknownName, match="choose from"):
        ScreenOptions(("colour",))
    with pytest.raises(UnknownName, match="mp-2019, learned"):
        ScreenOptions(hull="file")
    with pytest.raises(BadData, match="own input"):
        screen(tmp_path, tmp_path / "out.jsonl", STABILITY)
    with pytest.raises(OutOfRange, match="shard"):
        ScreenOptions(shard_rows=0)


def test_digits_of_a_conductivity():
    assert significant(1.23456e-9) == 1.235e-9
    assert json.dumps(significant(3.0004e-4)) == "0.0003"
