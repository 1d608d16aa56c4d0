"""The tables. The log is what counts: the rows in `Standing` tables are written from it."""

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

TIME = String(27)  # as `clock.now` writes it
HASH = String(64)
NAME = String(40)
AGENT = String(122)  # team/agent@version
ID = String(32)

NO_SCORE = -1e300  # below all scores

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=NAMES)


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


class LogItem(Base):
    """An item of the log. Rows are added, never changed."""

    __tablename__ = "log"
    __table_args__ = (Index("ix_log_kind_number", "kind", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # from 1
    kind: Mapped[str] = mapped_column(String(20))
    at: Mapped[str] = mapped_column(TIME)
    body: Mapped[str] = mapped_column(Text)  # canonical JSON
    previous: Mapped[str] = mapped_column(HASH)
    chain: Mapped[str] = mapped_column(HASH, unique=True)
    key: Mapped[str] = mapped_column(HASH)  # public half of the signing key, hexadecimal
    signature: Mapped[str] = mapped_column(String(128))  # of number and chain


class LogHead(Base):
    """The end of the log: one row, which whoever appends locks."""

    __tablename__ = "log_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    chain: Mapped[str] = mapped_column(HASH)


class DesignStanding(Base):
    """An accepted design, written from the log."""

    __tablename__ = "design_standings"
    __table_args__ = (
        # A look at a ranking reads its first rows, and counts; both from an index alone.
        Index("ix_design_standings_merit", "fingerprint", "merit", "number"),
        Index("ix_design_standings_live", "fingerprint", "number", "withdrawn_by"),
        Index("ix_design_standings_design", "fingerprint", "design", "number", "withdrawn_by"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # in the log
    submission: Mapped[str] = mapped_column(ID, index=True)
    task: Mapped[str] = mapped_column(String(120), index=True)
    fingerprint: Mapped[str] = mapped_column(HASH)
    agent: Mapped[str] = mapped_column(AGENT, index=True)
    design: Mapped[str] = mapped_column(HASH)  # hash of the settings: equal designs are known
    score: Mapped[float | None]
    merit: Mapped[float]  # the score, or `NO_SCORE`: databases differ in where they sort nulls
    gain: Mapped[float]
    accuracy_drop: Mapped[float]
    test_accuracy_drop: Mapped[float | None]
    accuracy: Mapped[str] = mapped_column(String(20))
    latency_cycles: Mapped[int] = mapped_column(BigInteger)
    bottleneck_cycles: Mapped[int] = mapped_column(BigInteger)
    tiles: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[str] = mapped_column(TIME)
    withdrawn_by: Mapped[int | None]  # number in the log


class RunStanding(Base):
    """An opened run, written from the log. Until it is finished it counts as 0."""

    __tablename__ = "run_standings"
    __table_args__ = (Index("ix_run_standings_round", "round", "agent"),)

    run: Mapped[str] = mapped_column(ID, primary_key=True)
    round: Mapped[str] = mapped_column(NAME)
    agent: Mapped[str] = mapped_column(AGENT, index=True)
    instance: Mapped[int]
    opened: Mapped[int]  # number in the log
    finished: Mapped[int | None]  # number in the log
    evaluations: Mapped[int] = mapped_column(default=0)
    optimum: Mapped[float | None]
    scores: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)  # by evaluations
    withdrawn_by: Mapped[int | None]


class Dispute(Base):
    """Somebody's doubt about an item of the log, and what became of it."""

    __tablename__ = "disputes"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    log_number: Mapped[int] = mapped_column(index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))  # open, upheld, dismissed
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(TIME)
    closed_at: Mapped[str | None] = mapped_column(TIME)
