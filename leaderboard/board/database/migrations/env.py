"""Alembic's entry: runs on the connection that `migrate` hands over."""

from alembic import context

from lrmp.leaderboard.board.database import models

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=models.Base.metadata,
    render_as_batch=True,  # SQLite changes tables by copying them
)
with context.begin_transaction():
    context.run_migrations()
