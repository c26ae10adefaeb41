"""Search spaces: the shipped ones fit the shipped configuration, and a wrong one is refused before any trial."""

import optuna
import pytest

from ionscout.datasets.errors import BadData
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.overrides import value_at
from ionscout.training.search.space import SHIPPED, read_space

CONFIG = read_config(ConductivityConfig, None, "conductivity")


def written(folder, text):
    (folder / "space.yaml").write_text(text)
    return str(folder / "space.yaml")


@pytest.mark.parametrize(("name", "part"), zip(SHIPPED, ("process", "networks"), strict=True))
def test_the_shipped_spaces_hold_the_shipped_configuration(name, part):
    space = read_space(name, CONFIG)
    assert space.part == part
    place = space.present(CONFIG)
    assert place is not None
    again = space.suggest(optuna.trial.FixedTrial(place), CONFIG)
    assert again == CONFIG


def test_every_kind_proposes_values_between_its_bounds_that_the_configuration_takes(tmp_path):
    text = """
    parameters:
      learning_rate: {kind: log float, low: 0.001, high: 0.01}
      network.dropout: {kind: float, low: 0, high: 0.5}
      network.width: {kind: int, low: 16, high: 64, step: 16}
      network.use_embedding: {kind: choice, values: [true, false]}
    while_searching: {members: 1}
    """
    space = read_space(written(tmp_path, text), CONFIG)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        found = space.suggest(study.ask(), CONFIG)
        assert 0.001 <= found.learning_rate <= 0.01
        assert len(f"{found.learning_rate:g}".replace("0", "").replace(".", "").split("e")[0]) <= 3
        assert found.network.width in (16, 32, 48, 64)
        assert found.members == CONFIG.members
    assert space.during(CONFIG).members == 1


def test_a_configuration_outside_the_space_has_no_place_in_it(tmp_path):
    space = read_space(written(tmp_path, "parameters: {process.noise: {kind: float, low: 1, high: 2}}"), CONFIG)
    assert value_at(CONFIG, "process.noise") == 0.7
    assert space.present(CONFIG) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("parameters: {process.nois: {kind: float, low: 1, high: 2}}", "no field 'process.nois'; the nearest is"),
        ("parameters: {process.noise: {kind: float, low: -1, high: 2}}", "greater than 0"),
        ("parameters: {network.width: {kind: float, low: 8, high: 9.5}}", "wrong at 'network.width'"),
        ("parameters: {process.noise: {kind: float, low: 2, high: 1}}", "low must be below high"),
        ("parameters: {process.noise: {kind: log float, low: 0, high: 1}}", "above 0 for log float"),
        ("parameters: {process.noise: {kind: normal, low: 0, high: 1}}", "kind"),
        ("parameters: {process.noise: {kind: float, low: 0.1}}", "high"),
        ("parameters: {network.width: {kind: choice, values: [8]}}", "values"),
        ("parameters: {}", "parameters"),
        ("parameter: {}", "parameter"),
        ("parameters: {seed: {kind: int, low: 0, high: 9}}", "'seed' cannot be searched"),
        ("parameters: {network.cutoff: {kind: float, low: 3, high: 6}}", "'network.cutoff' cannot be searched"),
        (
            "parameters: {process.noise: {kind: float, low: 0.5, high: 1}, epochs: {kind: int, low: 1, high: 2}}",
            "fitted apart",
        ),
        ("parameters: {epochs: {kind: int, low: 1, high: 2}}\nwhile_searching: {member: 1}", "no field 'member'"),
        ("- 1", "must be fields"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_wrong_space_is_one_sentence(tmp_path, text, sentence):
    with pytest.raises(BadData, match=sentence):
        read_space(written(tmp_path, text), CONFIG)


def test_a_space_that_is_not_there_is_named():
    with pytest.raises(BadData, match=r"nowhere\.yaml"):
        read_space("nowhere.yaml", CONFIG)
