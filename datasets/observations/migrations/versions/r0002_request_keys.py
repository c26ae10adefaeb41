"""Options of a campaign, and the client's key of a batch, so that a repeated request does not make a second one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("options", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("suggestions", sa.Column("request_key", sa.String(128)))
