"""Importing this registers ``LRMP-Board-v0`` with Gymnasium; nothing else of lrmp does."""

import gymnasium as gym

ENV_ID = "LRMP-Board-v0"

if ENV_ID not in gym.registry:
    gym.register(id=ENV_ID, entry_point="lrmp.leaderboard.client.environment:BoardEnv")
