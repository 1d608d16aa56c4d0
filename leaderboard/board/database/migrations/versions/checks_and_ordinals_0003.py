"""Accepted designs that were run on their networks; rankings that count by ordinals."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CHECKS, DESIGNS = "network_checks", "design_standings"


def upgrade() -> None:
    """Make the table of checks, and number the designs of every task."""
    op.create_table(
        CHECKS,
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("design", sa.String(length=64), nullable=False),
        sa.Column("drop", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_network_checks"),
    )
    op.create_index(f"ix_{CHECKS}_design", CHECKS, ["fingerprint", "design", "number"])

    op.add_column(DESIGNS, sa.Column("ordinal", sa.Integer(), nullable=True))
    op.execute(
        f"UPDATE {DESIGNS} SET ordinal = numbered.ordinal FROM (SELECT number, row_number() "
        f"OVER (PARTITION BY fingerprint ORDER BY number) AS ordinal FROM {DESIGNS}) AS numbered "
        f"WHERE numbered.number = {DESIGNS}.number"
    )
    with op.batch_alter_table(DESIGNS) as table:
        table.alter_column("ordinal", existing_type=sa.Integer(), nullable=False)
        table.drop_index(f"ix_{DESIGNS}_live")
    op.create_index(f"ix_{DESIGNS}_ordinal", DESIGNS, ["fingerprint", "number", "ordinal"])
    op.create_index(f"ix_{DESIGNS}_withdrawn", DESIGNS, ["fingerprint", "withdrawn_by"])


def downgrade() -> None:
    """Drop them."""
    for name in ("withdrawn", "ordinal"):
        op.drop_index(f"ix_{DESIGNS}_{name}", DESIGNS)
    with op.batch_alter_table(DESIGNS) as table:
        table.drop_column("ordinal")
    op.create_index(f"ix_{DESIGNS}_live", DESIGNS, ["fingerprint", "number", "withdrawn_by"])
    op.drop_table(CHECKS)
