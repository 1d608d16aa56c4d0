"""The kinds of policies that files may hold."""

from pathlib import Path

from lrmp.agents.actor_critic import Actor
from lrmp.agents.categorical_policy import CategoricalPolicy
from lrmp.agents.composite_policy import CompositePolicy
from lrmp.agents.layer_agents import LayerAgents
from lrmp.agents.policy_file import PolicyModule, read_kind
from lrmp.agents.set_policy import SetPolicy
from lrmp.agents.space_policy import SpacePolicy
from lrmp.errors import PolicyError

KINDS: dict[str, type[PolicyModule]] = {
    each.kind: each
    for each in (Actor, CategoricalPolicy, CompositePolicy, LayerAgents, SetPolicy, SpacePolicy)
}


def load_policy(path: Path) -> PolicyModule:
    """Read a policy of any kind.

    Args:
        path: File to read.

    Returns:
        The policy.

    Raises:
        PolicyError: If the file is missing or holds no policy of a known kind.
    """
    kind = read_kind(path)
    if kind not in KINDS:
        raise PolicyError(
            f"Expected {path} to hold a policy of kind {', '.join(sorted(KINDS))}; got {kind!r}."
        )
    return KINDS[kind].load(path)
