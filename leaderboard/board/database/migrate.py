"""Bring a database to the tables of this lrmp, by Alembic."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lrmp.errors import BoardError
from lrmp.leaderboard.log.database import Database

_SCRIPTS = Path(__file__).resolve().with_name("migrations")


def migrate(database: Database, revision: str = "head") -> None:
    """Upgrade, or make the tables of an empty database.

    Args:
        database: Any.
        revision: Of Alembic.
    """
    from alembic import command

    with database.engine.connect() as connection:
        command.upgrade(_config(connection), revision)
        connection.commit()


def revisions(database: Database) -> tuple[str | None, str | None]:
    """Say where a database stands.

    Args:
        database: Any.

    Returns:
        Its revision, or None if it has no tables, and that of this lrmp.
    """
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        return current, ScriptDirectory.from_config(_config(connection)).get_current_head()


def check_migrated(database: Database) -> None:
    """Refuse a database of another lrmp.

    Args:
        database: Any.

    Raises:
        BoardError: If its tables are not those of this lrmp.
    """
    current, head = revisions(database)
    if current != head:
        raise BoardError(
            f"Expected the board's database to have revision {head}, got {current}. Back it up and "
            "run `lrmp board migrate`."
        )


def _config(connection: sa.Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("file_template", "%%(slug)s_%%(rev)s")  # names of Python modules
    config.attributes["connection"] = connection
    return config
