"""What decides how the energy GNN is fitted; the shipped values are in `training/configs/energy.yaml`."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ionscout.training.config import read_config


class Draws(BaseModel):
    """How often a composition of each kind is drawn in one epoch, on average.

    The compounds on the hull decide every window and interface, so the network sees them most; the rest teaches it
    chemistry.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stable_battery: float = Field(3.0, ge=0, description="On the hull, of the battery elements alone.")
    battery: float = Field(1.0, ge=0, description="Others of the battery elements alone.")
    stable: float = Field(0.6, ge=0, description="Others on the hull.")
    other: float = Field(0.35, ge=0, description="Others with a formation energy.")
    gap_only: float = Field(0.2, ge=0, description="With a gap or modulus but no formation energy.")


class LossWeights(BaseModel):
    """Weight of the mean absolute error of each property in the loss."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    formation_energy: float = Field(1.0, ge=0)
    decomposition_energy: float = Field(0.2, ge=0)
    band_gap: float = Field(0.05, ge=0)
    experimental_gap: float = Field(0.02, ge=0)
    log10_shear: float = Field(0.05, ge=0)
    log10_bulk: float = Field(0.05, ge=0)


class FitConfig(BaseModel):
    """Everything that decides what `ionscout train energy` makes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(7, description="Start of every random stream, and of the split.")
    members: int = Field(2, ge=1, description="Networks in the shipped ensemble.")
    width: int = Field(384, ge=16, description="Features of an element; a multiple of 16.")
    layers: int = Field(4, ge=1, description="Rounds of messages.")
    holdout_share: float = Field(0.05, gt=0, lt=1, description="Share of the compositions held out.")
    holdout_members: int = Field(1, ge=1, description="Networks of the held-out fit.")
    batch: int = Field(512, ge=8, description="Compositions a step.")
    epochs_holdout: int = Field(25, ge=1, description="Epochs of each network of the held-out fit.")
    epochs_full: int = Field(20, ge=1, description="Epochs of each shipped network, from the held-out one's weights.")
    muon_rate: float = Field(0.01, gt=0, description="Learning rate of the matrices of the message layers.")
    adam_rate: float = Field(0.001, gt=0, description="Learning rate of everything else.")
    restart: float = Field(0.5, gt=0, le=1, description="Share of both rates for a start from another's weights.")
    weight_decay: float = Field(0.01, ge=0, description="Of both optimisers.")
    average: float = Field(0.998, ge=0, lt=1, description="Decay a step of the running mean of the weights.")
    bfloat16: bool = Field(True, description="Matrix products in bfloat16 while training; answers are in float32.")
    compile: bool = Field(False, description="torch.compile: a quarter faster, needs a C++ compiler.")
    draws: Draws = Field(Draws(), description="How often each kind of composition is drawn.")
    loss: LossWeights = Field(LossWeights(), description="Weights of the properties.")


def load_config(path: Path | None = None, changes: Sequence[str] = ()) -> FitConfig:
    """Read a configuration; None reads the shipped one. `changes` are as in `read_config`.

    Raises:
        BadData: from `training.config.read_config`.
    """
    return read_config(FitConfig, path, "energy", changes)
