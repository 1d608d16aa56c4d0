"""Disputes that follow from the log; bounds beside the optima of runs."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RUNS, DISPUTES = "run_standings", "disputes"


def upgrade() -> None:
    """Add bounds from the log, and make the table of disputes anew: those of before are in no log.

    They go, as everything that is shown is covered by the log.
    """
    op.add_column(RUNS, sa.Column("bound", sa.Double(), nullable=True))
    log = sa.table("log", sa.column("kind"), sa.column("body"))
    runs = sa.table(RUNS, sa.column("run"), sa.column("bound"))
    connection = op.get_bind()
    finished = sa.select(log.c.body).where(log.c.kind == "run-finished")
    for text in connection.execute(finished).scalars().all():
        body = json.loads(text)
        connection.execute(
            sa.update(runs).where(runs.c.run == body["run"]).values(bound=body["optimum"]["bound"])
        )

    op.drop_table(DISPUTES)
    op.create_table(
        DISPUTES,
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("log_number", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("answered_by", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("closed_at", sa.String(length=27), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_disputes"),
        sa.UniqueConstraint("id", name="uq_disputes_id"),
    )
    op.create_index("ix_disputes_log_number", DISPUTES, ["log_number"])
    op.create_index("ix_disputes_user_state", DISPUTES, ["user", "state"])


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table(RUNS) as table:
        table.drop_column("bound")
    op.drop_table(DISPUTES)
    op.create_table(
        DISPUTES,
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("log_number", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("closed_at", sa.String(length=27), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_disputes_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_disputes"),
    )
    op.create_index("ix_disputes_log_number", DISPUTES, ["log_number"])
