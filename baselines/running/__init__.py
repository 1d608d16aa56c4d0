"""How an algorithm runs: its command, its folder, checkpoints, the loop that learners share."""
