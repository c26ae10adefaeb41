"""The tables of the store as the code of today reads them; `migrations` builds them step by step."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect, RowMapping

from ionscout.datasets.observations.records import Campaign, Constraint, Objective, Observation, Suggestion

metadata = sa.MetaData(
    # names that migrations can refer to on every database
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A time in UTC. SQLite keeps no time zone, so all that enters is brought to UTC and all that leaves says so."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("hosts", sa.JSON, nullable=False),
    sa.Column("objectives", sa.JSON, nullable=False),
    sa.Column("constraints", sa.JSON, nullable=False),
    sa.Column("temperature_K", sa.Double, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("created", UtcDateTime, nullable=False),
)

suggestions = sa.Table(
    "suggestions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("campaign_id", sa.ForeignKey("campaigns.id"), nullable=False),
    sa.Column("batch", sa.Integer, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("formula", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("mechanism", sa.Text, nullable=False),
    sa.Column("acquisition", sa.Double, nullable=False),
    sa.Column("explanation", sa.Text, nullable=False),
    sa.Column("conductivity", sa.Double, nullable=False),
    sa.Column("lower", sa.Double, nullable=False),
    sa.Column("upper", sa.Double, nullable=False),
    sa.Column("coverage", sa.Double, nullable=False),
    sa.Column("temperature_K", sa.Double, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("cif", sa.Text),
    sa.Column("scores", sa.JSON, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("request_key", sa.String(128)),  # of the client, so that a repeated request finds its batch
    sa.UniqueConstraint("campaign_id", "batch", "rank"),
)

observations = sa.Table(
    "observations",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("campaign_id", sa.ForeignKey("campaigns.id"), nullable=False),
    sa.Column("suggestion_id", sa.ForeignKey("suggestions.id")),
    sa.Column("batch", sa.Integer, nullable=False),
    sa.Column("key", sa.String(128), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("formula", sa.Text, nullable=False),
    sa.Column("cif", sa.Text),
    sa.Column("conductivity", sa.Double),
    sa.Column("value", sa.Double),
    sa.Column("unit", sa.String(16)),
    sa.Column("temperature_K", sa.Double, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("censored", sa.Boolean, nullable=False),
    sa.Column("failed", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("measured_by", sa.Text, nullable=False),
    sa.Column("measured_on", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("received", UtcDateTime, nullable=False),
    sa.UniqueConstraint("campaign_id", "key"),
    sa.CheckConstraint("(failed AND conductivity IS NULL) OR (NOT failed AND conductivity > 0)", name="outcome"),
)


def campaign_of(row: RowMapping) -> Campaign:
    """A row of `campaigns` as a record."""
    return Campaign(
        **{
            **row,
            "hosts": tuple(row["hosts"]),
            "objectives": tuple(Objective(**item) for item in row["objectives"]),
            "constraints": tuple(Constraint(**item) for item in row["constraints"]),
        }
    )


def suggestion_of(row: RowMapping) -> Suggestion:
    """A row of `suggestions` as a record."""
    return Suggestion(**{name: value for name, value in row.items() if name not in ("campaign_id", "request_key")})


def observation_of(row: RowMapping, campaign: str) -> Observation:
    """A row of `observations` as a record."""
    values = {name: value for name, value in row.items() if name not in ("campaign_id", "suggestion_id")}
    return Observation(**values, suggestion=row["suggestion_id"], campaign=campaign)
