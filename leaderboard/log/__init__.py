"""The log: items in an append-only chain of hashes, and the standings that follow from them.

The file of one machine (`lrmp.leaderboard.Store`) and a hosted board keep the same one.
"""
