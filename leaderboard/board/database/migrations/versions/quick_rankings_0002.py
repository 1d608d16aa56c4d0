"""Rankings that are read from an index."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = "design_standings"


def upgrade() -> None:
    """Add the merit, and the indices by it."""
    op.add_column(TABLE, sa.Column("merit", sa.Double(), nullable=True))
    op.execute(f"UPDATE {TABLE} SET merit = coalesce(score, -1e300)")
    with op.batch_alter_table(TABLE) as table:
        table.alter_column("merit", existing_type=sa.Double(), nullable=False)
        table.drop_index("ix_design_standings_score")
        table.drop_index("ix_design_standings_design")
    columns = ["fingerprint", "design", "number", "withdrawn_by"]
    op.create_index("ix_design_standings_design", TABLE, columns)
    op.create_index("ix_design_standings_live", TABLE, ["fingerprint", "number", "withdrawn_by"])
    op.create_index("ix_design_standings_merit", TABLE, ["fingerprint", "merit", "number"])
    op.create_index("ix_log_kind_number", "log", ["kind", "number"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_log_kind_number", "log")
    for name in ("merit", "live", "design"):
        op.drop_index(f"ix_design_standings_{name}", TABLE)
    with op.batch_alter_table(TABLE) as table:
        table.drop_column("merit")
    op.create_index("ix_design_standings_design", TABLE, ["fingerprint", "design", "number"])
    op.create_index("ix_design_standings_score", TABLE, ["fingerprint", "score", "number"])
