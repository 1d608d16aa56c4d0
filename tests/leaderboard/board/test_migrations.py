"""Databases are upgraded from one revision back, with what they hold."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from lrmp.errors import BoardError
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database import migrate as migrate_module
from lrmp.leaderboard.board.database.migrate import migrate, revisions
from lrmp.leaderboard.board.settings import BoardSettings
from lrmp.leaderboard.board.verification.links import check_links
from lrmp.leaderboard.log.append import read_items
from lrmp.leaderboard.log.database import Database
from lrmp.leaderboard.log.tables import Base, RunStanding


def one_back():
    config = Config()
    scripts = Path(migrate_module.__file__).with_name("migrations")
    config.set_main_option("script_location", str(scripts))
    head = ScriptDirectory.from_config(config).get_revision("head")
    return head.down_revision


@pytest.fixture
def database(empty_database_url):
    made = Database(empty_database_url)
    yield made
    made.close()


def test_the_tables_are_those_of_the_models(database):
    migrate(database)
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_of_one_revision_back_is_upgraded_with_its_log(
    database, empty_database_url, tmp_path, fill
):
    settings = BoardSettings(folder=tmp_path, database=empty_database_url, requests_per_minute=0)
    filled = fill(Board(settings))
    with filled.database.read() as session:
        items = read_items(session)
        bounds = session.execute(sa.select(RunStanding.run, RunStanding.bound)).all()
    filled.close()
    # Down and up again: what the earlier lrmp wrote is what the later one reads.
    with database.engine.connect() as connection:
        from alembic import command

        command.downgrade(migrate_module._config(connection), one_back())
        connection.commit()
    with pytest.raises(BoardError, match=f"got {one_back()}. Back it up and run `lrmp board migr"):
        Board(settings)
    migrate(database)
    current, head = revisions(database)
    assert current == head
    again = Board(settings)
    with again.database.read() as session:
        assert read_items(session) == items
        assert session.execute(sa.select(RunStanding.run, RunStanding.bound)).all() == bounds
        assert all(bound > 0 for _, bound in bounds)
    again.close()
    assert check_links(items) == []


def test_an_empty_database_gets_its_tables(database, empty_database_url, tmp_path):
    assert revisions(database)[0] is None
    Board(BoardSettings(folder=tmp_path, database=empty_database_url)).close()
    assert revisions(database)[0] == revisions(database)[1]
    with database.read() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM log")) == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "Expected the URL of a database"),
        ("mysql://x/y", "got one of mysql"),
        ("sqlite://", "Expected a file"),
    ],
)
def test_what_is_no_database_of_a_board_is_refused(url, message):
    with pytest.raises(BoardError, match=message):
        Database(url)
