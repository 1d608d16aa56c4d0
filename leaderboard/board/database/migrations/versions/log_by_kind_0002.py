"""An index of the log by kind."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_log_kind_number", "log", ["kind", "number"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_log_kind_number", "log")
