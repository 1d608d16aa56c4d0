"""Alembic's entry: runs on the connection that `migrate` hands over."""

from alembic import context

from lrmp.leaderboard.board.database import models  # noqa: F401  its tables, too
from lrmp.leaderboard.log.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes tables by copying them
)
with context.begin_transaction():
    context.run_migrations()
