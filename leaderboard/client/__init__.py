"""Taking part in a hosted leaderboard from anywhere; needs no extra.

Nothing here imports the server. Layout:

- ``connection.Connection``: requests, tried again after a cut; ``credentials``: tokens kept;
- ``instance``: the public description of an instance as a `lrmp.envs.Task` whose accuracy the
  server knows;
- ``metered_run.MeteredRun``: designs in, scores out, counted by the server;
- ``environment.BoardEnv``: the same as the Gymnasium environment ``LRMP-Board-v0``;
- ``play``: a round played by any algorithm of lrmp or any function that plays an environment;
- ``hand_in``: records of designs; ``tables``: rankings as text.

``gym.make("lrmp.leaderboard.client.registration:LRMP-Board-v0", ...)`` makes the environment. It is
not among those that ``import lrmp`` registers, since it needs a server.
"""
