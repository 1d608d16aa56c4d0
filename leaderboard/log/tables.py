"""The tables of a log. The log is what counts: rows of `Standing` tables are written from it."""

from sqlalchemy import JSON, BigInteger, Index, MetaData, String, Table, Text
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


def tables_of(*classes: type[Base]) -> list[Table]:
    """Look up tables, to make some of them alone.

    Args:
        *classes: What their rows are.

    Returns:
        One each.
    """
    return [Base.metadata.tables[each.__tablename__] for each in classes]


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
        # A look at a ranking reads its first rows, the last ordinal, and what was withdrawn.
        Index("ix_design_standings_merit", "fingerprint", "merit", "number"),
        Index("ix_design_standings_ordinal", "fingerprint", "number", "ordinal"),
        Index("ix_design_standings_withdrawn", "fingerprint", "withdrawn_by"),
        Index("ix_design_standings_design", "fingerprint", "design", "number", "withdrawn_by"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # in the log
    ordinal: Mapped[int]  # among all of its fingerprint, from 1: counts without reading rows
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


class NetworkCheck(Base):
    """An accepted design that was run on its network, written from the log."""

    __tablename__ = "network_checks"
    __table_args__ = (Index("ix_network_checks_design", "fingerprint", "design", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # in the log
    fingerprint: Mapped[str] = mapped_column(HASH)
    design: Mapped[str] = mapped_column(HASH)  # as in `DesignStanding`: equal ones share it
    drop: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    images: Mapped[int]


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
    optimum: Mapped[float | None]  # of the best design of the instance that is known
    bound: Mapped[float | None]  # on all its designs
    scores: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)  # by evaluations
    withdrawn_by: Mapped[int | None]


class DisputeStanding(Base):
    """Somebody's doubt about an item and what became of it, written from the log."""

    __tablename__ = "disputes"
    __table_args__ = (Index("ix_disputes_user_state", "user", "state"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # in the log
    id: Mapped[str] = mapped_column(ID, unique=True)
    log_number: Mapped[int] = mapped_column(index=True)  # of the item that is doubted
    user: Mapped[str] = mapped_column(NAME)
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))  # open, upheld, dismissed
    answered_by: Mapped[int | None]  # number in the log
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(TIME)
    closed_at: Mapped[str | None] = mapped_column(TIME)
