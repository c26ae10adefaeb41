"""Campaigns, suggestions and observations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("hosts", sa.JSON, nullable=False),
        sa.Column("objectives", sa.JSON, nullable=False),
        sa.Column("constraints", sa.JSON, nullable=False),
        sa.Column("temperature_K", sa.Double, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
        sa.UniqueConstraint("name", name="uq_campaigns_name"),
    )
    op.create_table(
        "suggestions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("campaign_id", sa.Integer, nullable=False),
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
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suggestions"),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_suggestions_campaign_id"),
        sa.UniqueConstraint("campaign_id", "batch", "rank", name="uq_suggestions_campaign_id_batch_rank"),
    )
    op.create_table(
        "observations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("campaign_id", sa.Integer, nullable=False),
        sa.Column("suggestion_id", sa.Integer),
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
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_observations"),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_observations_campaign_id"),
        sa.ForeignKeyConstraint(["suggestion_id"], ["suggestions.id"], name="fk_observations_suggestion_id"),
        sa.UniqueConstraint("campaign_id", "key", name="uq_observations_campaign_id_key"),
        sa.CheckConstraint("(failed AND conductivity IS NULL) OR (NOT failed AND conductivity > 0)", name="outcome"),
    )
