"""Taking part in a hosted leaderboard from anywhere; needs no extra.

Nothing here imports the server. Layout:

- ``connection.Connection``: requests, tried again after a cut; ``credentials``: tokens kept;
- ``instance``: the public description of an instance as a `lrmp.envs.Task` whose accuracy the
  server knows;
- ``metered_run.MeteredRun``: designs in, scores out, counted by the server;
- ``environment.BoardEnv``: the same as the Gymnasium environment ``LRMP-Board-v0``;
- ``play``: a round played by any algorithm of lrmp or any function that plays an environment;
- ``hand_in``: records of designs; ``tables``: rankings as text.

``import lrmp.leaderboard.client`` registers ``LRMP-Board-v0``;
``gym.make("lrmp.leaderboard.client:LRMP-Board-v0", ...)`` does both. It is not among the
environments that ``import lrmp`` registers, since it needs a server.
"""

import gymnasium as gym

ENV_ID = "LRMP-Board-v0"

if ENV_ID not in gym.registry:
    gym.register(id=ENV_ID, entry_point="lrmp.leaderboard.client.environment:BoardEnv")

__all__ = ["ENV_ID"]
