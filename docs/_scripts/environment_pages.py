"""Pages of the environments, from the registries and the docstrings.

One page per form, that is per environment class: spaces and make call, the class docstring, and a
table of every id. Nothing is written twice, so nothing goes stale.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import load_env_creator

import lrmp  # noqa: F401  registers the environments
from lrmp.envs import MultiObjectiveEnv, Task, load_task, stored_optimum

NONE = "—"
OVERVIEW = """\
# Environments

Every task comes in several forms, which share one implementation of the dynamics: what a design
costs and earns is the same in all of them. These pages are made from the registries and the
docstrings.

| form | | ids |
| --- | --- | --- |
{rows}

`gym.make("lrmp:ID")` makes one, `gym.make_vec("lrmp:ID", num_envs=N)` N of them that are computed
together. The prefix `lrmp:` imports the package; after `import lrmp` it can be left out. What a
drop of accuracy is measured on is in [the protocol](../protocol.md), what the optimum is and how it
was proven in [the optimum](../optimum.md).
"""
HEAD = ["id", "layers", "objective", "accuracy", "holds"]
HEAD += ["optimum", "best constant", "observations", "actions"]
COLUMNS = """\
Ids lead to the [cards](../tasks/index.md) of their tasks, which say more. Accuracy: the quantised
*network* itself, a *table* measured on it, or a *table (estimate)*. Holds: whether its drops were
found to be the network's on [designs that optimisers pick](../accuracy/fidelity.md). The optimum is
the best return; in Gymnasium it is the environment's `reward_threshold`. The best constant is what
one setting for all layers reaches, the score to beat. Where rewards are vectors there is neither.
"""


@dataclass(frozen=True)
class Form:
    """An environment class and how to make it.

    Attributes:
        environment: The class.
        specs: What is registered with it, by Gymnasium or PettingZoo.
        make: Calls that make it, by what they make; ``{}`` stands for the id.
        spaces: Makes the environment of a spec and returns its observation and action space.
    """

    environment: type
    specs: Sequence[Any]
    make: dict[str, str]
    spaces: Callable[[Any], tuple[gym.Space[Any], gym.Space[Any]]]

    @property
    def name(self) -> str:
        """Name of the class, and of its page."""
        return self.environment.__name__

    @property
    def module(self) -> str:
        """Module of the class."""
        return self.environment.__module__


def environment_pages() -> dict[str, str]:
    """Write the pages.

    Returns:
        Markdown by file name.
    """
    forms = _forms()
    names = [form.name for form in forms]
    pages = {f"{form.name}.md": _page(form, names) for form in forms}
    rows = (
        f"| [{form.name}]({form.name}.md) | {_summary(form)} | {len(form.specs)} |"
        for form in forms
    )
    return {"index.md": OVERVIEW.format(rows="\n".join(rows)), **pages}


def environment_sources() -> dict[str, str]:
    """Say where the code of the environments is described.

    Returns:
        File name of the page by path in the repository.
    """
    sources = {"envs": "index.md"}
    for form in _forms():
        path = form.module.removeprefix("lrmp.").replace(".", "/")
        sources.setdefault(f"{path}.py", f"{form.name}.md")
    return sources


def _forms() -> list[Form]:
    """Group what is registered by environment class."""
    groups: dict[str, list[Any]] = {}
    for spec in gym.registry.values():
        if spec.id.startswith("LRMP-"):
            groups.setdefault(str(spec.entry_point), []).append(spec)
    forms = []
    for entry_point, specs in groups.items():
        environment: Any = load_env_creator(entry_point)
        make = {"make": 'gym.make("lrmp:{}")'}
        if specs[0].vector_entry_point:
            make["vectorised"] = 'gym.make_vec("lrmp:{}", num_envs=64)'
        forms.append(Form(environment, specs, make, _spaces))
    if find_spec("lrmp.envs.forms.multi_agent"):
        forms += [
            _multi_agent_form("forms.multi_agent", "MultiAgentEnv"),
            _multi_agent_form("forms.network_agents", "NetworkAgentsEnv"),
            _multi_agent_form("variant_choice.chip_agents", "ChipAgentsEnv"),
            _multi_agent_form("variant_choice.filters_agents", "FiltersAgentsEnv"),
        ]
    return forms


def _multi_agent_form(module: str, name: str) -> Form:
    import pettingzoo

    import_module("lrmp.envs.forms.multi_agent")  # registers all
    environment = getattr(import_module(f"lrmp.envs.{module}"), name)
    specs = [
        spec
        for spec in pettingzoo.parallel_registry.values()
        if str(spec.entry_point).startswith(f"{environment.__module__}:")
    ]
    make = {
        "make, after `import lrmp.envs.forms.multi_agent`": 'pettingzoo.make("parallel", "{}")',
        "one after the other": 'pettingzoo.make("aec", "{}")',
    }
    return Form(environment, specs, make, _spaces_of_an_agent)


def _page(form: Form, names: Sequence[str]) -> str:
    example = next(spec for spec in form.specs if _is_playable(spec))
    _, _, description = _docstring(form).partition("\n\n")
    for name in names:
        if name != form.name:
            description = description.replace(f"`{name}`", f"[`{name}`]({name}.md)")
    observation_space, action_space = form.spaces(example)
    return "\n".join(
        [
            f"# {form.name}\n",
            f"{_summary(form)}\n",
            f"| | for example `{example.id}` |",
            "| --- | --- |",
            f"| action space | {_show(action_space)} |",
            f"| observation space | {_show(observation_space)} |",
            *(f"| {what} | `{call.format(example.id)}` |" for what, call in form.make.items()),
            f"| module | `{form.module}` |\n",
            f"{description}\n",
            "## Registered Ids\n",
            COLUMNS,
            *_table(form),
            "",
        ]
    )


def _table(form: Form) -> Iterator[str]:
    yield f"| {' | '.join(HEAD)} |"
    yield f"| {' | '.join(['---'] * len(HEAD))} |"
    for spec in form.specs:
        task = _task(spec)
        name = f"`{spec.id}`" if task is None else f"[`{spec.id}`](../tasks/{task.id}.md)"
        cells = [name, *_describe(task, form.environment)]
        if _is_playable(spec):
            cells += [_show(space) for space in form.spaces(spec)]
        yield f"| {' | '.join(cells + [NONE] * (len(HEAD) - len(cells)))} |"


def _describe(task: Task | None, environment: type) -> list[str]:
    if task is None:
        return [NONE] * 6
    vectors = issubclass(environment, MultiObjectiveEnv)
    optimum = None if vectors else stored_optimum(task.id)
    return [
        str(len(task.network)),
        task.objective,
        task.accuracy_label,
        "yes" if task.accuracy_holds else "no",
        NONE if optimum is None else f"{optimum.value:.4f}",
        NONE if optimum is None or optimum.constant is None else f"{optimum.constant.value:.4f}",
    ]


def _task(spec: Any) -> Task | None:
    """Look up the task that an id stands for, if it is one."""
    task_id = spec.kwargs.get("task")
    return None if task_id is None else load_task(task_id)


def _is_playable(spec: Any) -> bool:
    """Say whether the id alone makes an environment; that of a user's task needs the task."""
    return spec.kwargs.get("task", "") is not None


def _spaces(spec: Any) -> tuple[gym.Space[Any], gym.Space[Any]]:
    env = gym.make(spec, disable_env_checker=True)
    return env.observation_space, env.action_space


def _spaces_of_an_agent(spec: Any) -> tuple[gym.Space[Any], gym.Space[Any]]:
    env = spec.make()
    agent = env.possible_agents[0]
    return env.observation_space(agent), env.action_space(agent)


def _show(space: gym.Space[Any]) -> str:
    if isinstance(space, gym.spaces.Dict):
        return ", ".join(f"{key}: {_show(value)}" for key, value in space.items())
    return f"`{space}`"


def _summary(form: Form) -> str:
    return _docstring(form).partition("\n\n")[0].replace("\n", " ")


def _docstring(form: Form) -> str:
    """Return the docstring as Markdown, its doctests as code."""
    text = inspect.getdoc(form.environment) or ""
    return re.sub(r"(?m)(^>>> .*\n?(?:.+\n?)*)", r"```pycon\n\1\n```\n", text)
