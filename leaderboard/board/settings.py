"""How a board is set up: by options, or by environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lrmp.errors import BoardError

PREFIX = "LRMP_BOARD_"
WALL_FACTOR = 4  # the machine may be busy: a job may take as many times its processor time


@dataclass(frozen=True)
class OpenIDProvider:
    """Where users sign in.

    Attributes:
        issuer: Address of the provider.
        client_id: Of the board, there.
        client_secret: Of the board, there.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True)
class BoardSettings:
    """Settings. Each is an environment variable, too: ``LRMP_BOARD_`` and its name in capitals.

    Attributes:
        folder: Where the signing key, the mirror of the log, and SQLite's file are.
        database: URL; empty for SQLite in the folder.
        address: Public address, for links and sign-in; empty for the one that was asked.
        max_body_bytes: Of a request.
        requests_per_minute: Of one user, or of one address without a token; 0 for any number.
        evaluations_per_request: At most.
        run_days: After which an open run is finished as it is.
        job_memory_mb: Address space of a worker's process.
        job_cpu_s: Processor time of a job.
        job_attempts: How often a job is tried whose worker died.
        waiting_per_team: Submissions of a team that may wait to be replayed, and a tenth as many
            designs to be run on their networks; 0 for any number.
        network_checks: Whether accepted designs are run on their networks, where ``LRMP_DATA`` has
            weights and images.
        check_memory_mb: Address space of the process that runs networks.
        check_cpu_s: Processor time of running one.
        lease_s: How long a worker that is not heard of has a job for itself.
        openid_issuer: Address of an OpenID provider; empty for none.
        openid_client_id: Of the board, there.
        openid_client_secret: Of the board, there.
        trust_proxy: Whether ``X-Forwarded-For`` tells the client's address.
    """

    folder: Path = Path("runs/board")
    database: str = ""
    address: str = ""
    max_body_bytes: int = 2**20
    requests_per_minute: int = 600
    evaluations_per_request: int = 1000
    run_days: int = 14
    job_memory_mb: int = 4096
    job_cpu_s: int = 300
    job_attempts: int = 3
    waiting_per_team: int = 500
    network_checks: bool = True
    check_memory_mb: int = 16384
    check_cpu_s: int = 3600
    lease_s: int = 60
    openid_issuer: str = ""
    openid_client_id: str = ""
    openid_client_secret: str = field(default="", repr=False)
    trust_proxy: bool = False

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, **given: Any
    ) -> "BoardSettings":
        """Read settings.

        Args:
            environment: Variables by name.
            **given: What goes before the environment; None leaves it to it.

        Returns:
            The settings.

        Raises:
            BoardError: If a variable is not of its type, or is none of the settings.
        """
        known = {f"{PREFIX}{each.name.upper()}": each for each in fields(cls)}
        values: dict[str, Any] = {}
        for name, text in environment.items():
            if name.startswith(PREFIX):
                if name not in known:
                    raise BoardError(f"Expected one of {', '.join(known)}, got {name}.")
                values[known[name].name] = _parse(name, text, known[name].default)
        return cls(**values | {name: value for name, value in given.items() if value is not None})

    def to_environment(self) -> dict[str, str]:
        """Write all settings for another process.

        Returns:
            Variables by name.
        """
        return {
            f"{PREFIX}{each.name.upper()}": str(int(value) if isinstance(value, bool) else value)
            for each in fields(self)
            for value in [getattr(self, each.name)]
        }

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return self.database or f"sqlite:///{self.folder.absolute() / 'board.sqlite'}"

    @property
    def key_path(self) -> Path:
        """The signing key."""
        return self.folder / "signing-key.pem"

    @property
    def mirror_path(self) -> Path:
        """The mirror of the log."""
        return self.folder / "log.jsonl"

    @property
    def openid(self) -> OpenIDProvider | None:
        """The provider, if one is set up."""
        if not self.openid_issuer:
            return None
        return OpenIDProvider(
            self.openid_issuer.rstrip("/"), self.openid_client_id, self.openid_client_secret
        )


def _parse(name: str, text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text not in ("0", "1"):
            raise BoardError(f"Expected {name} to be 0 or 1, got {text!r}.")
        return text == "1"
    try:
        return type(default)(text) if not isinstance(default, Path) else Path(text)
    except ValueError as error:
        raise BoardError(f"Expected {name} to be a whole number, got {text!r}.") from error
