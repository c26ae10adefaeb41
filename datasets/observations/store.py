"""The observation store: campaigns, suggestions and observations, each write stored whole and once."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ionscout.datasets.composition import atomic_fractions, formula_text, parse_formula
from ionscout.datasets.observations.checking import Report, checked
from ionscout.datasets.observations.definition import check_campaign
from ionscout.datasets.observations.engine import default_store, open_engine, reading, shown, store_url, writing
from ionscout.datasets.observations.records import (
    BadObservation,
    Campaign,
    Conflict,
    NewCampaign,
    NewObservation,
    NewSuggestion,
    Observation,
    Stored,
    Suggestion,
    UnknownCampaign,
    UnknownSuggestion,
)
from ionscout.datasets.observations.schema import upgrade
from ionscout.datasets.observations.tables import (
    campaign_of,
    campaigns,
    observation_of,
    observations,
    suggestion_of,
    suggestions,
)
from ionscout.datasets.sources.repeats import SAME_FORMULA
from ionscout.datasets.sources.user import LARGEST_DIFFERENCE


class ObservationStore:
    """One database. May be shared by threads; other processes may have it open at the same time."""

    def __init__(self, url: str | None = None) -> None:
        """Open a store and bring its tables to this revision.

        Args:
            url: a SQLite file, a database URL, or None for the default store.

        Raises:
            UnknownName, DataUnavailable, BadData.
        """
        self.url = store_url(url or default_store())
        self.engine = open_engine(self.url)
        upgrade(self.engine)

    def __str__(self) -> str:
        return shown(self.url)

    def close(self) -> None:
        """Give back all connections; the store may be used again."""
        self.engine.dispose()

    def create(self, campaign: NewCampaign) -> Campaign:
        """Store a campaign; the same definition under the same name again gives the stored one.

        Raises:
            BadCampaign, InvalidInput: the definition is at fault.
            Conflict: the name belongs to another definition.
        """
        new = check_campaign(campaign)
        try:
            with writing(self.engine) as connection:
                if (known := _find(connection, new.name)) is None:
                    connection.execute(sa.insert(campaigns).values(**asdict(new), created=_now()))
        except IntegrityError:  # PostgreSQL: another process stored the name in between
            known = self.campaign(new.name)
        if known is not None and _definition(known) != _definition(new):
            raise Conflict(f"There is another campaign named {new.name}; choose another name.")
        return known or self.campaign(new.name)

    def campaigns(self) -> list[Campaign]:
        """All campaigns, the oldest first."""
        with reading(self.engine) as connection:
            rows = connection.execute(sa.select(campaigns).order_by(campaigns.c.id)).mappings()
            return [campaign_of(row) for row in rows]

    def campaign(self, name: str) -> Campaign:
        """One campaign.

        Raises:
            UnknownCampaign.
        """
        with reading(self.engine) as connection:
            return self._known(connection, name)

    def add_batch(self, name: str, batch: Sequence[NewSuggestion], key: str | None = None) -> list[Suggestion]:
        """Store one batch; a request key that was used before gives the batch stored then.

        Raises:
            UnknownCampaign, BadFormula.
        """
        batch = [replace(s, formula=formula_text(parse_formula(s.formula))) for s in batch]  # as observations have it
        with writing(self.engine) as connection:
            campaign = self._known(connection, name, lock=True)  # two requests at once get two numbers
            if key is not None and (stored := _batch_of(connection, campaign.id, key)):
                return stored
            number = 1 + _last_batch(connection, campaign.id)
            common = {
                "campaign_id": campaign.id,
                "batch": number,
                "status": "open",
                "created": _now(),
                "request_key": key,
            }
            for rank, suggestion in enumerate(batch, start=1):
                connection.execute(sa.insert(suggestions).values(**asdict(suggestion), **common, rank=rank))
            mine = (suggestions.c.campaign_id == campaign.id) & (suggestions.c.batch == number)
            return _suggestions(connection, mine)

    def batch(self, name: str, key: str) -> list[Suggestion]:
        """The batch that was stored under a request key, empty if there is none.

        Raises:
            UnknownCampaign.
        """
        with reading(self.engine) as connection:
            return _batch_of(connection, self._known(connection, name).id, key)

    def suggestions(self, name: str) -> list[Suggestion]:
        """All suggestions of a campaign, by batch and rank.

        Raises:
            UnknownCampaign.
        """
        with reading(self.engine) as connection:
            return _suggestions(connection, suggestions.c.campaign_id == self._known(connection, name).id)

    def observe(self, name: str, report: Report) -> Stored:
        """Check and store one observation; when this returns, it survives whatever happens to the process.

        Raises:
            UnknownCampaign, UnknownSuggestion, BadObservation, InvalidInput: nothing was stored.
            Conflict: the key stands for an observation with other content, which stays as it is.
        """
        with reading(self.engine) as connection:
            campaign = self._known(connection, name)
            answered = _named(connection, campaign, report.suggestion)
            new = checked(report, answered.formula if answered else None)
            if answered is not None and _apart(new, answered) >= LARGEST_DIFFERENCE:
                raise BadObservation(
                    f"Suggestion {answered.id} is {answered.formula}, not {new.formula}; leave the suggestion out."
                )
            link = answered.id if answered else _fitting(connection, campaign, new)
        for _ in range(2):
            try:
                return self._store(campaign, new, link)
            except IntegrityError:  # PostgreSQL: the same key was stored in between; now it is found
                continue
        raise Conflict(f"The key {new.key} is being written by another process; send it again.")

    def observations(self, name: str) -> list[Observation]:
        """All observations of a campaign, in the order in which they were stored.

        Raises:
            UnknownCampaign.
        """
        with reading(self.engine) as connection:
            campaign = self._known(connection, name)
            chosen = sa.select(observations).where(observations.c.campaign_id == campaign.id)
            rows = connection.execute(chosen.order_by(observations.c.id)).mappings()
            return [observation_of(row, campaign.name) for row in rows]

    def _store(self, campaign: Campaign, new: NewObservation, link: int | None) -> Stored:
        with writing(self.engine) as connection:
            mine = (observations.c.campaign_id == campaign.id) & (observations.c.key == new.key)
            if row := connection.execute(sa.select(observations).where(mine)).mappings().one_or_none():
                if row["digest"] != new.digest:
                    raise Conflict(
                        f"The key {new.key} belongs to another observation, of {row['formula']}; use a new key."
                    )
                return Stored(observation_of(row, campaign.name), new=False)
            values = asdict(new)
            del values["suggestion"]
            values |= {"campaign_id": campaign.id, "suggestion_id": link, "received": _now()}
            values["batch"] = _last_batch(connection, campaign.id)
            connection.execute(sa.insert(observations).values(**values))
            if link is not None:
                this = suggestions.c.id == link
                if new.failed:  # a success before or after is the better answer
                    this &= suggestions.c.status == "open"
                outcome = "failed" if new.failed else "measured"
                connection.execute(sa.update(suggestions).where(this).values(status=outcome))
            row = connection.execute(sa.select(observations).where(mine)).mappings().one()
            return Stored(observation_of(row, campaign.name), new=True)

    def _known(self, connection: sa.Connection, name: str, *, lock: bool = False) -> Campaign:
        if (found := _find(connection, name, lock=lock)) is None:
            listed = [row.name for row in connection.execute(sa.select(campaigns.c.name).limit(20))]
            raise UnknownCampaign(
                f"There is no campaign '{' '.join(name.split())[:64]}' here; "
                + (f"there are: {', '.join(listed)}." if listed else "make one with `ionscout campaign new`.")
            )
        return found


def _now() -> datetime:
    return datetime.now(UTC)


def _find(connection: sa.Connection, name: str, *, lock: bool = False) -> Campaign | None:
    if "\0" in name:  # which PostgreSQL refuses
        return None
    chosen = sa.select(campaigns).where(campaigns.c.name == name)
    row = connection.execute(chosen.with_for_update() if lock else chosen).mappings().one_or_none()
    return None if row is None else campaign_of(row)


def _definition(campaign: NewCampaign) -> dict:
    fields = NewCampaign.__dataclass_fields__
    return {name: value for name, value in asdict(campaign).items() if name in fields}


def _last_batch(connection: sa.Connection, campaign: int) -> int:
    last = sa.select(sa.func.max(suggestions.c.batch)).where(suggestions.c.campaign_id == campaign)
    return connection.execute(last).scalar() or 0


def _batch_of(connection: sa.Connection, campaign: int, key: str) -> list[Suggestion]:
    return _suggestions(connection, (suggestions.c.campaign_id == campaign) & (suggestions.c.request_key == key))


def _suggestions(connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[Suggestion]:
    chosen = sa.select(suggestions).where(where).order_by(suggestions.c.batch, suggestions.c.rank)
    return [suggestion_of(row) for row in connection.execute(chosen).mappings()]


def _named(connection: sa.Connection, campaign: Campaign, number: int | None) -> Suggestion | None:
    if number is None:
        return None
    found = _suggestions(connection, (suggestions.c.campaign_id == campaign.id) & (suggestions.c.id == number))
    if not found:
        raise UnknownSuggestion(f"Campaign {campaign.name} has no suggestion {number}; its status lists them.")
    return found[0]


def _fitting(connection: sa.Connection, campaign: Campaign, new: NewObservation) -> int | None:
    """The suggestion that has the composition of an observation whose sender named none; open ones go first."""
    listed = _suggestions(connection, suggestions.c.campaign_id == campaign.id)
    same = [s for s in listed if s.formula == new.formula or _apart(new, s) <= SAME_FORMULA]
    return min(same, key=lambda s: (s.status != "open", -s.id)).id if same else None


def _apart(new: NewObservation, suggestion: Suggestion) -> float:
    """Largest difference of an atomic fraction."""
    return float(np.abs(atomic_fractions(new.composition) - atomic_fractions(suggestion.composition)).max())
