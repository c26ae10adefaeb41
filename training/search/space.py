"""What a search may change: dotted paths of the configuration, each with a kind and bounds, read from YAML."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from optuna.trial import BaseTrial
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ionscout.datasets.errors import BadData
from ionscout.training.config import ConductivityConfig, changed, checked, read_yaml
from ionscout.training.overrides import value_at

SHIPPED = ("process", "network")  # configs/search_<name>.yaml
DIGITS = 3  # significant: more make no difference that a fold could show, and nobody wants to read them
# Fields that choose the rows or the graphs of the comparison, or change nothing: a search would select luck.
FIXED = ("seed", "folds", "workers", "network.cutoff")
Part = Literal["process", "networks"]


class _Parameter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Range(_Parameter):
    low: float
    high: float

    @model_validator(mode="after")
    def _rising(self) -> "_Range":
        if not self.low < self.high:
            raise ValueError("low must be below high")
        return self

    @property
    def ends(self) -> tuple[Any, ...]:
        return self.low, self.high


class FloatRange(_Range):
    """Any number between the bounds, or any power of ten between those of the bounds."""

    kind: Literal["float", "log float"]

    @model_validator(mode="after")
    def _positive(self) -> "FloatRange":
        if self.kind == "log float" and self.low <= 0:
            raise ValueError("low must be above 0 for log float")
        return self

    def suggest(self, trial: BaseTrial, name: str) -> float:
        return float(f"{trial.suggest_float(name, self.low, self.high, log=self.kind == 'log float'):.{DIGITS}g}")

    def holds(self, value: Any) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


class IntRange(_Range):
    """Whole numbers from low to high in steps."""

    kind: Literal["int"]
    low: int
    high: int
    step: int = Field(1, ge=1)

    def suggest(self, trial: BaseTrial, name: str) -> int:
        return trial.suggest_int(name, self.low, self.high, step=self.step)

    def holds(self, value: Any) -> bool:
        return value in range(self.low, self.high + 1, self.step)


class Choice(_Parameter):
    """One of some values."""

    kind: Literal["choice"]
    values: tuple[bool | int | float | str, ...] = Field(min_length=2)

    @property
    def ends(self) -> tuple[Any, ...]:
        return self.values

    def suggest(self, trial: BaseTrial, name: str) -> Any:
        return trial.suggest_categorical(name, self.values)

    def holds(self, value: Any) -> bool:
        return value in self.values


class SearchSpace(BaseModel):
    """A search space; `while_searching` are changes that hold for all trials and are not part of the result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameters: dict[str, Annotated[FloatRange | IntRange | Choice, Field(discriminator="kind")]] = Field(min_length=1)
    while_searching: dict[str, Any] = {}

    @property
    def part(self) -> Part:
        """Which of the two models the parameters belong to.

        Raises:
            BadData: to both, or one of them is none that a search may change.
        """
        for name in self.parameters:
            if name in FIXED:
                raise BadData(f"'{name}' cannot be searched: it decides what is compared; leave it out of the space.")
        of_process = {name.startswith("process.") for name in self.parameters}
        if len(of_process) > 1:
            raise BadData(
                "The space mixes the process with the networks, which are fitted apart and scored apart; "
                "search them one after the other."
            )
        return "process" if of_process.pop() else "networks"

    def suggest(self, trial: BaseTrial, config: ConductivityConfig) -> ConductivityConfig:
        """The configuration with what the trial proposes."""
        return changed(config, [(name, p.suggest(trial, name)) for name, p in self.parameters.items()])

    def during(self, config: ConductivityConfig) -> ConductivityConfig:
        """The configuration as it is fitted while searching."""
        return changed(config, list(self.while_searching.items()))

    def present(self, config: ConductivityConfig) -> dict[str, Any] | None:
        """Where a configuration lies in the space; None outside."""
        found = {name: value_at(config, name) for name in self.parameters}
        return found if all(p.holds(found[name]) for name, p in self.parameters.items()) else None


def read_space(which: str, config: ConductivityConfig) -> SearchSpace:
    """Read a space by its shipped name or from a file, and try its ends on a configuration.

    Raises:
        BadData: it cannot be read, a bound is wrong, or a name or an end is none of the configuration.
    """
    shipped = which in SHIPPED
    file = resources.files("ionscout.training").joinpath(f"configs/search_{which}.yaml") if shipped else Path(which)
    space = checked(SearchSpace, read_yaml(file, which), f"The search space {which}")
    _ = space.part
    try:
        space.during(config)
        for name, parameter in space.parameters.items():
            for end in parameter.ends:
                changed(config, [(name, end)])
    except BadData as error:
        raise BadData(f"The search space {which} does not fit: {error}") from None
    return space
