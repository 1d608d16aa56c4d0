"""Who is best: records are validated, replayed, stored and ranked."""

from lrmp.envs.records.record import Claim, Record
from lrmp.leaderboard.design_ranking import DesignRanking, RankedDesign, Reference, rank, to_json
from lrmp.leaderboard.entry import Entry
from lrmp.leaderboard.ranking_text import format_ranking
from lrmp.leaderboard.replay import Replay, replay
from lrmp.leaderboard.store import DEFAULT_STORE, Contents, Store
from lrmp.leaderboard.submission import read_submission
from lrmp.leaderboard.submit import submit

__all__ = [
    "DEFAULT_STORE",
    "Claim",
    "Contents",
    "DesignRanking",
    "Entry",
    "RankedDesign",
    "Record",
    "Reference",
    "Replay",
    "Store",
    "format_ranking",
    "rank",
    "read_submission",
    "replay",
    "submit",
    "to_json",
]
