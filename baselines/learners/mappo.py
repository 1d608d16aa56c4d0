"""Multi-agent PPO: ``python -m lrmp.baselines.learners.mappo --env-id LRMP-ResNet18-v0 --seed 1``.

An agent per layer, all choosing at once: the multi-agent form. Agents act on what they see, by one
policy whose parameters they share; while they learn, a centralised critic sees the state, too
(MAPPO: Yu et al., NeurIPS 2022, arXiv 2103.01955; its "agent-specific" input: the state beside the
agent's own observation). With one round the state never changes, and the critic is as good as that
of `lrmp.baselines.learners.ippo`; it has more to say with several. The reward is the team's, or
each layer's own contribution to it. All but the critic is `lrmp.baselines.learners.ippo`, where the
algorithm is.

Writes a run directory: config.json, TensorBoard events, episodes.csv, record.jsonl (the best
design, for the leaderboard) and policy.safetensors (the last policy). A run that was interrupted
goes on from its last checkpoint and gives the same result.
"""

from lrmp.baselines.learners.ippo import train
from lrmp.baselines.learners.settings.mappo import Args
from lrmp.baselines.running.command import run_command


def main() -> None:
    """Train from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
