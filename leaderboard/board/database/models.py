"""The tables of a board beside its log: who takes part, and what waits."""

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lrmp.leaderboard.log.tables import AGENT, HASH, ID, NAME, TIME, Base


class User(Base):
    """A person who may sign in."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    folded: Mapped[str] = mapped_column(NAME, unique=True)
    subject: Mapped[str | None] = mapped_column(String(512), unique=True)  # issuer and sub, OpenID
    is_admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[str] = mapped_column(TIME)
    disabled_at: Mapped[str | None] = mapped_column(TIME)


class Team(Base):
    """Who owns agents."""

    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    folded: Mapped[str] = mapped_column(NAME, unique=True)
    created_at: Mapped[str] = mapped_column(TIME)


class Membership(Base):
    """A user in a team."""

    __tablename__ = "memberships"

    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)


class Invitation(Base):
    """A code that makes its holder a user, once."""

    __tablename__ = "invitations"

    hash: Mapped[str] = mapped_column(HASH, primary_key=True)
    team: Mapped[str | None] = mapped_column(NAME)  # to join; None to found one
    created_at: Mapped[str] = mapped_column(TIME)
    expires_at: Mapped[str] = mapped_column(TIME)
    used_at: Mapped[str | None] = mapped_column(TIME)


class Token(Base):
    """A secret of 256 bits, by its hash."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    hash: Mapped[str] = mapped_column(HASH, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[str] = mapped_column(TIME)
    expires_at: Mapped[str] = mapped_column(TIME)
    revoked_at: Mapped[str | None] = mapped_column(TIME)


class Agent(Base):
    """What takes part: one version of a team's agent."""

    __tablename__ = "agents"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), index=True)
    name: Mapped[str] = mapped_column(AGENT, unique=True)
    folded: Mapped[str] = mapped_column(AGENT, unique=True)
    code: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[str] = mapped_column(TIME)


class Submission(Base):
    """A record that was handed in: waiting, or with the number of its place in the log."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("agent_id", "sha256"),
        UniqueConstraint("agent_id", "key"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id"))
    key: Mapped[str | None] = mapped_column(String(80))  # Idempotency-Key
    record: Mapped[str] = mapped_column(Text)  # canonical JSON
    sha256: Mapped[str] = mapped_column(HASH, index=True)
    task: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(10))  # waiting, accepted, refused, failed
    reason: Mapped[str | None] = mapped_column(Text)
    log_number: Mapped[int | None] = mapped_column(index=True)
    created_at: Mapped[str] = mapped_column(TIME)


class Job(Base):
    """Work for a worker. It is leased, and free again when the lease is over."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("kind", "subject"),
        Index("ix_jobs_waiting", "state", "free_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))  # replay, settle
    subject: Mapped[str] = mapped_column(ID)  # id of the submission or run
    state: Mapped[str] = mapped_column(String(10))  # waiting, done, failed
    free_at: Mapped[str] = mapped_column(TIME)  # when it may be leased
    lease: Mapped[str | None] = mapped_column(ID)  # of whoever has it
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(TIME)
    done_at: Mapped[str | None] = mapped_column(TIME)


class Round(Base):
    """A round of metered search or of zero-shot designs. Its secret is told when it closes."""

    __tablename__ = "rounds"

    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    track: Mapped[str] = mapped_column(String(10))  # search, zero-shot
    objective: Mapped[str] = mapped_column(String(20))
    instances: Mapped[int]  # that an agent may open
    evaluations: Mapped[int]  # of one run
    secret: Mapped[str] = mapped_column(HASH)  # hexadecimal, 256 bits
    commitment: Mapped[str] = mapped_column(HASH)  # SHA-256 of the secret
    opened_at: Mapped[str] = mapped_column(TIME)
    closes_at: Mapped[str] = mapped_column(TIME)
    closed_at: Mapped[str | None] = mapped_column(TIME)


class Run(Base):
    """An agent's run on an instance of a round."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("round", "agent_id", "instance"),
        UniqueConstraint("agent_id", "key"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    round: Mapped[str] = mapped_column(ForeignKey("rounds.name"))
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id"))
    key: Mapped[str | None] = mapped_column(String(80))
    instance: Mapped[int]  # k, from 0
    fingerprint: Mapped[str] = mapped_column(HASH)
    state: Mapped[str] = mapped_column(String(10))  # open, finishing, finished
    evaluations: Mapped[int] = mapped_column(default=0)
    opened_at: Mapped[str] = mapped_column(TIME)
    finished_at: Mapped[str | None] = mapped_column(TIME)
    log_number: Mapped[int | None]


class Evaluation(Base):
    """A design of a run, as the server scored and counted it."""

    __tablename__ = "evaluations"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # from 1
    settings: Mapped[str] = mapped_column(Text)  # canonical JSON: a list per knob
    score: Mapped[float | None]
    reward: Mapped[float]
    gain: Mapped[float]
    accuracy_drop: Mapped[float]
