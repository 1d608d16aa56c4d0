"""A board: its database, its signing key, and the mirror of its log."""

from typing import Any

from sqlalchemy.orm import Session

from lrmp.leaderboard.board.database.connection import Database
from lrmp.leaderboard.board.database.migrate import check_migrated, migrate, revisions
from lrmp.leaderboard.board.log.append import append, lock_head, read_head
from lrmp.leaderboard.board.log.item import Item, Kind
from lrmp.leaderboard.board.log.mirror import Mirror
from lrmp.leaderboard.board.log.signing import load_signer
from lrmp.leaderboard.board.settings import BoardSettings


class Board:
    """What services work on.

    Args:
        settings: How the board is set up.

    Attributes:
        settings: As given.
        database: Sessions to read and to write.
        signer: Signs the log.
        mirror: Follows the log.
    """

    def __init__(self, settings: BoardSettings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        if revisions(self.database)[0] is None:
            migrate(self.database)
        check_migrated(self.database)
        self.signer = load_signer(settings.key_path, make=True)
        self.mirror = Mirror(settings.mirror_path)
        self._take_over()

    def log(self, session: Session, kind: Kind, body: dict[str, Any]) -> Item:
        """Append to the log.

        Args:
            session: That writes.
            kind: What the item says.
            body: Plain JSON values.

        Returns:
            The item.
        """
        return append(session, self.signer, kind, body)

    def close(self) -> None:
        """Bring the mirror up to date and close all connections."""
        self.mirror.catch_up(self.database)
        self.database.close()

    def _take_over(self) -> None:
        """Write into the log that another key signs from now on."""
        with self.database.write() as session:
            lock_head(session)
            head = read_head(session)
            if head is None or head.key != self.signer.public:
                self.log(session, "key", {"key": self.signer.public})
        self.mirror.catch_up(self.database)
