"""How the command line writes objectives, constraints and candidate lists."""

import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.observations.records import BadCampaign
from ionscout.serving.campaign_schemas import ConstraintItem, ObjectiveItem
from ionscout.serving.problems import request_error
from ionscout.serving.thermo_schemas import MaterialRequest

Asked = TypeVar("Asked", bound=BaseModel)
_LIMIT = re.compile(r"\s*([A-Za-z0-9_-]+)\s*(>=|<=|>|<)\s*(\S+)\s*")


def asked(model: type[Asked], **values: Any) -> Asked:
    """A request, under the limits of the service.

    Raises:
        IonscoutError: a value does not fit, as the service would say it.
    """
    try:
        return model(**values)
    except ValidationError as error:
        raise request_error(error) from None


def objective_of(text: str) -> ObjectiveItem:
    """`conductivity`, `price:minimise` or `conductivity:maximise:2`.

    Raises:
        BadCampaign.
    """
    name, _, rest = text.partition(":")
    goal, _, weight = rest.partition(":")
    try:
        return ObjectiveItem.model_validate(
            {"name": name.strip(), "goal": goal or None, "weight": float(weight or 1.0)}
        )
    except (ValidationError, ValueError):
        raise BadCampaign(
            f"'{text[:60]}' is no objective; write NAME, NAME:minimise or NAME:maximise:WEIGHT."
        ) from None


def constraint_of(text: str) -> ConstraintItem:
    """`oxidation>=2.5` or `hull<=0.05`, in the quantity's own unit.

    Raises:
        BadCampaign.
    """
    if (match := _LIMIT.fullmatch(text)) is not None:
        name, sign, number = match.groups()
        try:
            limit = float(number)
            return ConstraintItem(name=name, **{"minimum" if sign[0] == ">" else "maximum": limit})
        except (ValidationError, ValueError):
            pass
    raise BadCampaign(f"'{text[:60]}' is no constraint; write NAME>=VALUE or NAME<=VALUE.")


def material_of(text: str) -> str | MaterialRequest:
    """A formula, or the content of a structure file of that name.

    Raises:
        OSError: the file cannot be read.
    """
    path = Path(text)
    return MaterialRequest(text=path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else text


def formulas_of(path: Path) -> list[str]:
    """The formulas of a text file, one a line; empty lines and what follows a # are passed over.

    Raises:
        DataUnavailable: there is no such file, or nothing in it.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataUnavailable(f"{path} cannot be read ({error.strerror}); give a text file of formulas.") from None
    found = [text for line in lines if (text := line.partition("#")[0].strip())]
    if not found:
        raise DataUnavailable(f"{path} holds no formula; write one a line.")
    return found
