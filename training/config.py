"""Typed training configurations, read from YAML files under `training/configs/`."""

from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ionscout.datasets.errors import BadData
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.training.overrides import parsed, with_values

Config = TypeVar("Config", bound=BaseModel)


ENERGY_RANGE = (0.03, 1.5)  # eV: three of OBELiX's 211 lie outside, at 1.6 to 2.1: other processes or misprints


class BlockConfig(BaseModel):
    """The kernel over one block of features."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amplitude: float = Field(gt=0, description="Prior variance, decades² (eV² for the barrier).")
    length: tuple[float, ...] = Field(description="Length scale: one for all columns or one each.")
    centres: int = Field(ge=1, description="Basis functions at most.")
    components: int = Field(0, ge=0, description="Principal components to keep; 0 takes the columns as they are.")
    robust: bool = Field(False, description="Lengths in units of half the range between the 10 % and 90 % quantiles.")


class ProcessConfig(BaseModel):
    """Prior of the Gaussian process. Chosen by leave-publication-out error on OBELiX's training part and rounded.

    Any of these numbers changed by half moves the error by 2 % at most; fitting them to each fold made it worse.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    location_mean: float = Field(-5.0, description="Prior mean of log10 σ (S/cm) at 298.15 K.")
    energy_mean: float = Field(0.4, gt=0, description="Prior mean of the activation energy, eV.")
    slope: float = Field(0.053, ge=0, description="eV by which the barrier falls for a decade of conductivity.")
    noise: float = Field(0.7, gt=0, description="Standard deviation of a measured log10 σ.")
    energy_noise: float = Field(0.12, gt=0, description="Standard deviation of a measured Ea, eV.")
    energy_range: tuple[float, float] = Field(ENERGY_RANGE, description="Activation energies outside are not used, eV.")
    censored_offset: float = Field(1.0, ge=0, description="Decades below its bound at which a `<1E-10` label is seen.")
    location: dict[str, BlockConfig] = Field(description="Kernels of log10 σ at 298.15 K.")
    barrier: dict[str, BlockConfig] = Field(description="Kernels of the part of Ea that log10 σ does not tell.")


class ConductivityConfig(BaseModel):
    """Everything that decides what `ionscout train conductivity` makes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, description="Start of every random stream.")
    members: int = Field(5, ge=1, description="Networks in the ensemble.")
    folds: int = Field(5, ge=2, description="Folds of the cross-validation, grouped by publication.")
    epochs: int = Field(60, ge=1, description="Longest training of one network.")
    patience: int = Field(30, ge=1, description="Epochs without a better validation loss before it stops.")
    validation_share: float = Field(0.1, gt=0, lt=0.5, description="Rows (grouped) that each network stops on.")
    batch_size: int = Field(32, ge=2, description="Materials a step.")
    learning_rate: float = Field(4e-3, gt=0, le=1, description="Peak of the one-cycle schedule.")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW decay.")
    workers: int = Field(2, ge=1, description="Networks trained side by side.")
    network: NetworkConfig = Field(NetworkConfig(), description="Shape of the network.")
    process: ProcessConfig = Field(description="Prior of the Gaussian process.")


def read_config(kind: type[Config], path: Path | None, name: str, changes: Sequence[str] = ()) -> Config:
    """Read a configuration: the shipped `configs/<name>.yaml`, with what the file at `path` says instead, and then
    what `changes` say (`network.width=64`, see `overrides`).

    Raises:
        BadData: when the file is missing or a field is unknown or out of range.
    """
    shipped = resources.files("ionscout.training").joinpath(f"configs/{name}.yaml")
    values = _merged(read_yaml(shipped, name), read_yaml(path, str(path)) if path else {})
    config = checked(kind, values, f"The configuration {path or name}")
    return changed(config, [parsed(text) for text in changes]) if changes else config


def changed(config: Config, changes: Sequence[tuple[str, Any]]) -> Config:
    """A configuration with other values at these dotted paths.

    Raises:
        BadData: there is no such field, or the value is out of range.
    """
    return checked(type(config), with_values(config, changes), "The changed configuration")


def read_yaml(path: Path | Traversable, name: str) -> dict:
    """The sections of a YAML file.

    Raises:
        BadData: it is missing or is none.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadData(f"The configuration {name} cannot be read ({error}).") from None
    if not isinstance(values or {}, dict):
        raise BadData(f"The configuration {name} cannot be read (it must be fields with values).")
    return values or {}


def checked(kind: type[Config], values: dict, name: str) -> Config:
    """Values as a configuration.

    Raises:
        BadData: a field is unknown or out of range.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadData(f"{name} is wrong at '{field}': {first['msg']} (got {first['input']!r}).") from None


def as_yaml(config: BaseModel) -> str:
    """A whole configuration as a file that `--config` takes."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _merged(values: dict, changes: dict) -> dict:
    """The values, with those of the changes instead wherever both have one; nested fields one by one."""
    merged = dict(values)
    for name, change in changes.items():
        nested = isinstance(change, dict) and isinstance(values.get(name), dict)
        merged[name] = _merged(values[name], change) if nested else change
    return merged
