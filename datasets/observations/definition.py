"""What defines a campaign, checked before it is stored."""

import math
import re
from dataclasses import replace
from typing import get_args

from ionscout.datasets.composition import formula_text
from ionscout.datasets.observations.checking import lithium_formula, outside
from ionscout.datasets.observations.limits import COLDEST, HOTTEST
from ionscout.datasets.observations.records import BadCampaign, Goal, NewCampaign

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_campaign(campaign: NewCampaign) -> NewCampaign:
    """The campaign with its hosts written as this project writes formulas.

    Raises:
        BadCampaign: the name, an objective or a limit is at fault, or limits contradict each other.
        InvalidInput: one of its subclasses, about a host.
    """
    if not _NAME.fullmatch(campaign.name):
        raise BadCampaign("The campaign's name needs 1 to 64 letters, digits, dots, dashes or underscores.")
    if not campaign.hosts:
        raise BadCampaign("A campaign needs at least one host, such as Li7La3Zr2O12.")
    if not campaign.objectives:
        raise BadCampaign("A campaign needs at least one objective, such as conductivity.")
    if len({objective.name for objective in campaign.objectives}) < len(campaign.objectives):
        raise BadCampaign("An objective is named twice; name each once.")
    for objective in campaign.objectives:
        if objective.goal not in (None, *get_args(Goal)):
            raise BadCampaign(f"'{objective.goal}' is no goal of {objective.name}; use {' or '.join(get_args(Goal))}.")
        if not (math.isfinite(objective.weight) and objective.weight > 0):
            raise BadCampaign(f"The weight of {objective.name} must be a positive number.")
    for name in {constraint.name for constraint in campaign.constraints}:
        _check_limits(campaign, name)
    if not COLDEST <= campaign.temperature_K <= HOTTEST:
        raise BadCampaign(outside("temperature_K", campaign.temperature_K))
    if not 0 <= campaign.seed < 2**63:
        raise BadCampaign("The seed must be a whole number from 0 to 2**63 - 1.")
    return replace(campaign, hosts=tuple(dict.fromkeys(formula_text(lithium_formula(host)) for host in campaign.hosts)))


def _check_limits(campaign: NewCampaign, name: str) -> None:
    """Limits of one quantity, over all its constraints, must leave room."""
    limits = [constraint for constraint in campaign.constraints if constraint.name == name]
    lows = [c.minimum for c in limits if c.minimum is not None]
    highs = [c.maximum for c in limits if c.maximum is not None]
    if not (lows or highs):
        raise BadCampaign(f"The constraint on {name} has no limit; give a minimum or a maximum.")
    if not all(math.isfinite(limit) for limit in lows + highs):
        raise BadCampaign(f"A limit of {name} is not a finite number.")
    if lows and highs and max(lows) > min(highs):
        raise BadCampaign(
            f"The constraints contradict each other: {name} cannot be at least {max(lows):g} and at most "
            f"{min(highs):g}; drop one."
        )
