"""Accepted designs that were run on their networks."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLE = "network_checks"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        TABLE,
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("design", sa.String(length=64), nullable=False),
        sa.Column("drop", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_network_checks"),
    )
    op.create_index(f"ix_{TABLE}_design", TABLE, ["fingerprint", "design", "number"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table(TABLE)
