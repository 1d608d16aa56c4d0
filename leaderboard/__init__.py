"""Who is best: records are validated, replayed, stored and ranked."""

from lrmp.envs.records.record import Claim, Record
from lrmp.leaderboard.entry import Entry
from lrmp.leaderboard.ranking import RankedAgent, format_ranking, rank, to_json
from lrmp.leaderboard.replay import Replay, replay
from lrmp.leaderboard.store import DEFAULT_STORE, Contents, Store
from lrmp.leaderboard.submission import read_submission
from lrmp.leaderboard.submit import submit

__all__ = [
    "DEFAULT_STORE",
    "Claim",
    "Contents",
    "Entry",
    "RankedAgent",
    "Record",
    "Replay",
    "Store",
    "format_ranking",
    "rank",
    "read_submission",
    "replay",
    "submit",
    "to_json",
]
