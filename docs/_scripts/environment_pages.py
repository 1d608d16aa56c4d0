"""Pages of the environments, from Gymnasium's registry and the docstrings.

One page per form, that is per environment class: spaces and make call, the class docstring, and a
table of every id. Nothing is written twice, so nothing goes stale.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator

import lrmp  # noqa: F401  registers the environments
from lrmp.envs import Task, load_task

NONE = "—"
OVERVIEW = """\
# Environments

Every task comes in several forms, which share one implementation of the dynamics: what a design
costs and earns is the same in all of them. These pages are made from the registry and the
docstrings.

| form | | ids |
| --- | --- | --- |
{rows}

`gym.make("lrmp:ID")` makes one, `gym.make_vec("lrmp:ID", num_envs=N)` N of them that are computed
together. The prefix `lrmp:` imports the package; after `import lrmp` it can be left out. What a
drop of accuracy is measured on is in [the protocol](../protocol.md), what the optimum is and how it
was proven in [the optimum](../optimum.md).
"""
HEAD = ["id", "network", "layers", "tiles", "objective", "accuracy", "optimum"]
HEAD += ["observations", "actions"]
COLUMNS = """\
Accuracy: the quantised *network* itself, a *table* measured on it, or a *table (estimate)*. The
optimum is the best return, the environment's `reward_threshold`.
"""


def environment_pages() -> dict[str, str]:
    """Write the pages.

    Returns:
        Markdown by file name.
    """
    forms = _forms()
    names = [form.__name__ for form in forms]
    pages = {f"{form.__name__}.md": _page(form, specs, names) for form, specs in forms.items()}
    rows = (
        f"| [{form.__name__}]({form.__name__}.md) | {_summary(form)} | {len(specs)} |"
        for form, specs in forms.items()
    )
    return {"index.md": OVERVIEW.format(rows="\n".join(rows)), **pages}


def environment_sources() -> dict[str, str]:
    """Say where the code of the environments is described.

    Returns:
        File name of the page by path in the repository.
    """
    sources = {"envs": "index.md"}
    for form in _forms():
        path = form.__module__.removeprefix("lrmp.").replace(".", "/")
        sources.setdefault(f"{path}.py", f"{form.__name__}.md")
    return sources


def _forms() -> dict[type, list[EnvSpec]]:
    """Group what is registered by environment class."""
    forms: dict[type, list[EnvSpec]] = {}
    for spec in gym.registry.values():
        if spec.id.startswith("LRMP-"):
            assert isinstance(spec.entry_point, str)
            form: Any = load_env_creator(spec.entry_point)
            forms.setdefault(form, []).append(spec)
    return forms


def _page(form: type, specs: Sequence[EnvSpec], forms: Sequence[str]) -> str:
    example = next(spec for spec in specs if _is_playable(spec))
    _, _, description = _docstring(form).partition("\n\n")
    for name in forms:
        if name != form.__name__:
            description = description.replace(f"`{name}`", f"[`{name}`]({name}.md)")
    vectorised = (
        f'`gym.make_vec("lrmp:{example.id}", num_envs=64)`' if example.vector_entry_point else NONE
    )
    observation_space, action_space = _spaces(example)
    return "\n".join(
        [
            f"# {form.__name__}\n",
            f"{_summary(form)}\n",
            f"| | for example `{example.id}` |",
            "| --- | --- |",
            f"| action space | {action_space} |",
            f"| observation space | {observation_space} |",
            f'| make | `gym.make("lrmp:{example.id}")` |',
            f"| vectorised | {vectorised} |",
            f"| API | [`{form.__module__}.{form.__name__}`][{form.__module__}.{form.__name__}] |\n",
            f"{description}\n",
            "## Registered Ids\n",
            COLUMNS,
            *_table(specs),
            "",
        ]
    )


def _table(specs: Sequence[EnvSpec]) -> Iterator[str]:
    yield f"| {' | '.join(HEAD)} |"
    yield f"| {' | '.join(['---'] * len(HEAD))} |"
    for spec in specs:
        task = _task(spec)
        cells = [f"`{spec.id}`"]
        if task is None:
            cells += [NONE] * 5
        else:
            layers, tiles = str(len(task.network)), str(task.budget)
            cells += [task.network.name, layers, tiles, task.objective, task.accuracy_label]
        cells.append(NONE if spec.reward_threshold is None else f"{spec.reward_threshold:.4f}")
        cells += _spaces(spec) if _is_playable(spec) else [NONE] * 2
        yield f"| {' | '.join(cells)} |"


def _task(spec: EnvSpec) -> Task | None:
    """Look up the task that an id stands for, if it is one."""
    task_id = spec.kwargs.get("task")
    return None if task_id is None else load_task(task_id)


def _is_playable(spec: EnvSpec) -> bool:
    """Say whether the id alone makes an environment; that of a user's task needs the task."""
    return spec.kwargs.get("task", "") is not None


def _spaces(spec: EnvSpec) -> tuple[str, str]:
    env = gym.make(spec, disable_env_checker=True)
    return _show(env.observation_space), _show(env.action_space)


def _show(space: gym.Space[Any]) -> str:
    if isinstance(space, gym.spaces.Dict):
        return ", ".join(f"{key}: {_show(value)}" for key, value in space.items())
    return f"`{space}`"


def _summary(form: type) -> str:
    return _docstring(form).partition("\n\n")[0].replace("\n", " ")


def _docstring(form: type) -> str:
    """Return the docstring as Markdown, its doctests as code."""
    text = inspect.getdoc(form) or ""
    return re.sub(r"(?m)(^>>> .*\n?(?:.+\n?)*)", r"```pycon\n\1\n```\n", text)
