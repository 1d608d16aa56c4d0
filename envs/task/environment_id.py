"""Names: the ids of a task's environments, in every form."""

#: Form -> module and class; the vector environment is in ``<module>_vector``, ``...VectorEnv``.
FORMS = {
    "": ("layerwise", "Layerwise"),
    "OneShot": ("one_shot", "OneShot"),
    "Refine": ("refine", "Refine"),
}

#: The form with a vector of rewards, one environment per network: it has every objective.
MULTI_OBJECTIVE = "MultiObjective"

#: The multi-agent form of a shared chip with an agent per network, for PettingZoo.
PER_NETWORK = "PerNetwork"


def environment_id(task_id: str, form: str = "") -> str:
    """Name the environment of a task in a form.

    Args:
        task_id: Such as ``"LRMP-ResNet18-v0"``.
        form: ``""`` for layer-wise, ``"OneShot"``, ``"Refine"``, ``"MultiObjective"`` or
            ``"PerNetwork"``.

    Returns:
        Such as ``"LRMP-ResNet18-OneShot-v0"``.
    """
    name, version = task_id.rsplit("-", 1)
    return "-".join(filter(None, (name, form, version)))


def multi_agent_id(task_id: str) -> str:
    """Name the environment of a task in PettingZoo's registry.

    Args:
        task_id: Such as ``"LRMP-ResNet18-v0"``, or that of a form.

    Returns:
        Such as ``"LRMP/ResNet18-v0"``.
    """
    return task_id.replace("-", "/", 1)


def task_id_of(env_id: str) -> str:
    """Name the task of an environment.

    Args:
        env_id: Id of a task in any form, with or without the prefix ``lrmp:``.

    Returns:
        The task's own id; what is no such id comes back without the prefix.
    """
    name, dash, version = env_id.removeprefix("lrmp:").replace("LRMP/", "LRMP-", 1).rpartition("-")
    for form in filter(None, (*FORMS, MULTI_OBJECTIVE, PER_NETWORK)):
        name = name.removesuffix(f"-{form}")
    return name + dash + version
