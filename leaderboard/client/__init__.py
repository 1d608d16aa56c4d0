"""Taking part in a hosted leaderboard; needs no extra."""
