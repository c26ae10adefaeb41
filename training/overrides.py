"""Single fields of a configuration by their dotted path: `network.width=64`, `process.location.cell.length.0=20`."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel

from ionscout.datasets.errors import BadData


def flat(config: BaseModel) -> dict[str, Any]:
    """Every field by its dotted path; lists are values."""

    def walk(values: dict, prefix: str) -> Iterator[tuple[str, Any]]:
        for name, value in values.items():
            if isinstance(value, dict):
                yield from walk(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value

    return dict(walk(config.model_dump(mode="json"), ""))


def parsed(text: str) -> tuple[str, Any]:
    """The path and the value of `path=value`; the value is read as YAML.

    Raises:
        BadData: there is no path, or the value is no YAML.
    """
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise BadData(f"--set {text} names no value; write FIELD=VALUE, as in network.width=64.")
    try:
        return path.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise BadData(f"The value in --set {text} is no YAML; write a number, a word, true, false or [a, b].") from None


def value_at(config: BaseModel, path: str) -> Any:
    """The value at a dotted path that the configuration has."""
    section: Any = config.model_dump(mode="json")
    for name in path.split("."):
        section = section[_key(section, name)]
    return section


def nested(values: Mapping[str, Any]) -> dict:
    """Values by dotted path as sections; the inverse of `flat`."""
    tree: dict = {}
    for path, value in values.items():
        *parents, last = path.split(".")
        section = tree
        for name in parents:
            section = section.setdefault(name, {})
        section[last] = value
    return tree


def with_values(config: BaseModel, changes: Sequence[tuple[str, Any]]) -> dict:
    """The values of a configuration with others at these paths, not checked yet.

    A number in a path is a place in a list. A whole section may be replaced.

    Raises:
        BadData: there is no such path.
    """
    values = config.model_dump(mode="json")
    for path, value in changes:
        *parents, last = path.split(".")
        try:
            section: Any = values
            for name in parents:
                section = section[_key(section, name)]
            key = _key(section, last)
            section[key]  # must be there: a new name would be ignored by everything that reads configurations
            section[key] = value
        except (KeyError, IndexError, ValueError, TypeError):
            near = difflib.get_close_matches(path, flat(config), 1, 0.5)
            hint = f"; the nearest is '{near[0]}'" if near else ""
            raise BadData(f"The configuration has no field '{path}'{hint}.") from None
    return values


def _key(section: Any, name: str) -> Any:
    if isinstance(section, dict):
        return name
    if isinstance(section, list) and name.isdecimal():
        return int(name)
    raise KeyError(name)
