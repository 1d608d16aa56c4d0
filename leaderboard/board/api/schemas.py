"""What requests hold. Answers are the services' own data classes."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lrmp.leaderboard.board.names import MAX_NAME
from lrmp.leaderboard.board.service.moderation import MAX_TEXT
from lrmp.leaderboard.board.service.principal import Scope
from lrmp.leaderboard.board.tracks import Track

MAX_AGENT = 3 * MAX_NAME + 2


def _plain(text: str) -> str:
    """Databases take no null characters, and UTF-8 no lone surrogates."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("text without null characters and surrogates")
    return text


Text = Annotated[str, AfterValidator(_plain)]
Name = Annotated[Text, Field(min_length=1, max_length=MAX_NAME)]
AgentName = Annotated[Text, Field(max_length=MAX_AGENT, examples=["my-team/ippo@1"])]


class Request(BaseModel):
    """Any request: no field that is not known, no value that is made to fit."""

    model_config = ConfigDict(extra="forbid", strict=True)


class AcceptInvitation(Request):
    """Become a user."""

    code: Annotated[Text, Field(max_length=100)]
    user: Name
    team: Name | None = None


class Invite(Request):
    """Invite somebody: into a team, or to found one."""

    team: Name | None = None


class NewTeam(Request):
    """Found a team."""

    team: Name


class NewAgent(Request):
    """Register an agent."""

    agent: AgentName
    code: Annotated[Text, Field(max_length=500)] | None = None


class NewToken(Request):
    """Make a token."""

    name: Annotated[Text, Field(min_length=1, max_length=80)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=3)]
    days: Annotated[float, Field(gt=0, le=366)] = 90


class NewSubmission(Request):
    """Hand in a record, as `Record.to_line` writes it."""

    agent: AgentName
    record: dict[str, Any]


class NewRound(Request):
    """Open a round."""

    name: Name
    track: Track
    days: Annotated[float, Field(gt=0, le=400)]
    objective: Annotated[Text, Field(max_length=20)] = "latency"
    instances: Annotated[int, Field(ge=10, le=100)] = 10


class NewRun(Request):
    """Open a run."""

    round: Name
    agent: AgentName


class NewEvaluations(Request):
    """Have designs scored: the first of them is evaluation number `first` of the run, from 1."""

    first: Annotated[int, Field(ge=1, le=10**6)]
    designs: Annotated[
        list[dict[Annotated[str, Field(max_length=80)], list[int | str]]],
        Field(min_length=1, max_length=1000),
    ]


class NewDispute(Request):
    """Doubt an item of the log."""

    number: Annotated[int, Field(ge=1)]
    text: Annotated[Text, Field(min_length=1, max_length=MAX_TEXT)]


class Answer(Request):
    """Close a dispute."""

    verdict: Literal["upheld", "dismissed"]
    text: Annotated[Text, Field(min_length=1, max_length=MAX_TEXT)]


class Withdrawal(Request):
    """Take an item out of the rankings."""

    number: Annotated[int, Field(ge=1)]
    reason: Annotated[Text, Field(min_length=1, max_length=MAX_TEXT)]


class Secret(BaseModel):
    """A secret that is told only once."""

    secret: str


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str
