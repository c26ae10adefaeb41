"""Single fields of a configuration by dotted path: over the shipped values and a file, checked, in one sentence."""

import pytest
import yaml

from ionscout.datasets.errors import BadData
from ionscout.training.config import ConductivityConfig, as_yaml, read_config
from ionscout.training.energy.config import load_config
from ionscout.training.overrides import flat


def read(*changes, path=None):
    return read_config(ConductivityConfig, path, "conductivity", changes)


def test_a_change_goes_over_the_file_and_the_file_over_the_shipped_values(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("epochs: 7\nprocess: {noise: 0.5}\n")
    shipped, found = read(), read("process.noise=0.6", "network.width=64", path=path)
    assert (found.epochs, found.process.noise, found.network.width) == (7, 0.6, 64)
    assert found.process.location == shipped.process.location


def test_nothing_else_changes_and_the_last_of_two_counts():
    before, after = flat(read()), flat(read("learning_rate=1e-3", "learning_rate=2e-3"))
    assert {name for name in before if before[name] != after[name]} == {"learning_rate"}
    assert after["learning_rate"] == 0.002


def test_a_number_in_the_path_is_a_place_in_a_list():
    lengths = read("process.location.cell.length.1=0.05").process.location["cell"].length
    assert lengths == (16.0, 0.05, 300.0, 1.0, 1.5, 1.0)


def test_values_are_yaml():
    found = read("network.use_structure=false", "process.energy_range=[0.1, 1.0]")
    assert found.network.use_structure is False
    assert found.process.energy_range == (0.1, 1.0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("network.widht=64", r"no field 'network.widht'; the nearest is 'network.width'"),
        ("process.location.crystal.amplitude=1", r"no field 'process.location.crystal.amplitude'; the nearest is"),
        ("process.location.cell.length.6=1", r"no field 'process.location.cell.length.6'"),
        ("epochs.more=1", r"no field 'epochs.more'"),
        ("xyzzy=1", r"no field 'xyzzy'\.$"),
        ("network.width=0", r"wrong at 'network.width': .*greater than or equal to 1.* \(got 0\)"),
        ("epochs=many", r"wrong at 'epochs': .*integer.*'many'"),
        ("epochs", r"names no value; write FIELD=VALUE"),
        ("=3", r"names no value"),
        ("epochs=[1", r"no YAML"),
    ],
)
def test_a_wrong_change_is_one_sentence(change, sentence):
    with pytest.raises(BadData, match=sentence):
        read(change)


def test_the_energy_network_takes_changes_too():
    assert load_config(None, ["loss.band_gap=0.1"]).loss.band_gap == 0.1


def test_a_written_configuration_reads_as_the_same_one(tmp_path):
    config = read("process.location.cell.length.1=0.05", "network.dropout=0.3")
    (tmp_path / "whole.yaml").write_text(as_yaml(config))
    assert read(path=tmp_path / "whole.yaml") == config
    assert yaml.safe_load(as_yaml(config))["network"]["dropout"] == 0.3


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "just words\n", "1: 2\n"])
def test_a_file_that_is_no_configuration_is_one_sentence(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(BadData, match="configuration"):
        read(path=tmp_path / "c.yaml")
