"""Check a board without trusting it: its log, what follows from it, and what it shows."""

from lrmp.leaderboard.board.verification.verify import Verdict, verify_file, verify_url

__all__ = ["Verdict", "verify_file", "verify_url"]
