"""Typed training configurations, read from YAML files under `training/configs/`."""

from importlib import resources
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ionscout.datasets.errors import BadData
from ionscout.models.conductivity.network import NetworkConfig

Config = TypeVar("Config", bound=BaseModel)


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
    trees: int = Field(200, ge=1, description="Trees of each forest.")
    tree_features: float = Field(0.3, gt=0, le=1, description="Share of features a split looks at.")
    censored_offset: float = Field(
        2.5, ge=0, description="Decades below its bound at which the forest sees a `<1E-10` label; the network is told."
    )
    workers: int = Field(2, ge=1, description="Networks trained side by side.")
    network: NetworkConfig = Field(NetworkConfig(), description="Shape of the network.")


def read_config(kind: type[Config], path: Path | None, name: str) -> Config:
    """Read a configuration; None reads the shipped `configs/<name>.yaml`.

    Raises:
        BadData: when the file is missing or a field is unknown or out of range.
    """
    try:
        text = (
            path.read_text()
            if path
            else resources.files("ionscout.training").joinpath(f"configs/{name}.yaml").read_text()
        )
        return kind(**(yaml.safe_load(text) or {}))
    except (OSError, yaml.YAMLError, TypeError, UnicodeDecodeError) as error:
        raise BadData(f"The configuration {path or name} cannot be read ({error}).") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadData(f"The configuration {path or name} is wrong at '{field}': {first['msg']}.") from None
