"""A board: its database, its signing key, and the mirror of its log."""

from typing import Any

from sqlalchemy.orm import Session

from lrmp.errors import BoardError
from lrmp.leaderboard.board.database.migrate import check_migrated, migrate, revisions
from lrmp.leaderboard.board.log.mirror import Mirror
from lrmp.leaderboard.board.log.signing import Signer, load_signer
from lrmp.leaderboard.board.settings import BoardSettings
from lrmp.leaderboard.log.append import append, lock_head, read_key
from lrmp.leaderboard.log.database import Database
from lrmp.leaderboard.log.item import Item, Kind
from lrmp.leaderboard.log.standings import apply

NEXT = ".next.pem"  # of a key that is about to take over


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
        self.mirror = Mirror(settings.mirror_path)
        try:
            if revisions(self.database)[0] is None:
                migrate(self.database)
            check_migrated(self.database)
            self.signer = self._begin()
        except BaseException:
            self.database.close()
            raise

    def log(self, session: Session, kind: Kind, body: dict[str, Any]) -> Item:
        """Append to the log, and write the standings that follow.

        Args:
            session: That writes.
            kind: What the item says.
            body: Plain JSON values.

        Returns:
            The item.
        """
        item = append(session, self.signer, kind, body)
        apply(session, item)
        return item

    def close(self) -> None:
        """Bring the mirror up to date and close all connections."""
        self.mirror.catch_up(self.database)
        self.database.close()

    def cookie_key(self) -> str:
        """Derive what signs the cookies of a sign-in from the signing key.

        Returns:
            Text; another one after the key was rotated.
        """
        return self.signer.derive("sign-in cookies")

    def rotate_key(self) -> str:
        """Let another key sign from now on; the log says so, signed by the one before.

        All other processes of the board must have ended.

        Returns:
            The public half of the new key, hexadecimal.
        """
        path = self.settings.key_path
        fresh = load_signer(path.with_suffix(NEXT), make=True)
        with self.database.write() as session:
            self.log(session, "key", {"key": fresh.public})
        path.with_suffix(NEXT).replace(path)
        self.signer = fresh
        self.mirror.catch_up(self.database)
        return fresh.public

    def _begin(self) -> Signer:
        """Load the key that signs, and name it in an empty log."""
        path = self.settings.key_path
        with self.database.write() as session:
            lock_head(session)
            expected = read_key(session)
            signer = load_signer(path, make=expected is None)
            if signer.public != expected and path.with_suffix(NEXT).exists():
                # A rotation was cut off between the log and the file.
                signer = load_signer(path.with_suffix(NEXT))
                if signer.public == expected:
                    path.with_suffix(NEXT).replace(path)
            if expected is None:
                append(session, signer, "key", {"key": signer.public})
            elif signer.public != expected:
                raise BoardError(
                    f"Expected the signing key {expected[:16]}... in {path}, got "
                    f"{signer.public[:16]}.... Restore the file from the backup."
                )
        self.mirror.catch_up(self.database)
        return signer
