"""The navigation: which page stands where.

Known pages in a sensible order, by patterns; a new page that no pattern knows goes to the end, so
that a page can be added without touching this file.
"""

import fnmatch
import json
from collections.abc import Iterable, Mapping

from task_cards import card_groups

#: Patterns of pages in order; * matches / too. A mapping has the titles of groups.
Patterns = tuple[str, ...] | Mapping[str, tuple[str, ...]]
#: Pages in order, or groups of them.
Entries = list[str | dict[str, list[str]]]

#: By the title of a section. Groups without a title stand first and by themselves.
SECTIONS: dict[str, Patterns] = {
    "Home": ("index.md", "for-rl.md", "for-chips.md", "numbers.md", "glossary.md"),
    "Tutorials": ("tutorials/*.md", "command-line.md"),
    "Tasks": {
        "": ("tasks.md", "tasks/index.md"),
        **{title: tuple(pages) for title, pages in card_groups().items()},
    },
    "Environments": {
        "": ("environments/index.md",),
        "Forms": (
            "environments/LayerwiseEnv.md",
            "environments/OneShotEnv.md",
            "environments/RefineEnv.md",
            "environments/*.md",
        ),
        "Guides": (
            "observations.md",
            "own-task.md",
            "multi-agent.md",
            "multi-objective.md",
            "procedural.md",
            "own-algorithm.md",
            "clients.md",
        ),
    },
    "Families": ("families/*.md",),
    "Hardware": ("optimize.md", "hardware/own-network.md", "hardware/presets.md", "hardware/*.md"),
    "Accuracy": ("protocol.md", "accuracy.md", "accuracy/*.md"),
    "Benchmark": {
        "What is proven": ("optimum.md", "results/reference/*.md", "results/headline/*.md"),
        "Leaderboard": ("leaderboard.md", "board.md", "board-*.md"),
        "Studies": ("studies.md", "clusters.md", "results/study/report.md", "results/study/*.md"),
        "More results": ("results/*.md",),
        "Speed": ("benchmarks.md",),
    },
    "API": ("api/index.md", "api/*.md"),
    "Project": ("contributing.md", "changelog.md", "*.md"),
}
#: Reached by links only.
UNLISTED = "source/*"


def sections(pages: Iterable[str]) -> dict[str, Entries]:
    """Sort pages into sections; a page belongs to the first pattern that matches it.

    Args:
        pages: Paths on the site.

    Returns:
        Pages and groups by title of the section; no section or group is empty.
    """
    left = {page for page in pages if not fnmatch.fnmatchcase(page, UNLISTED)}
    found: dict[str, Entries] = {}
    for title, patterns in SECTIONS.items():
        groups = patterns if isinstance(patterns, Mapping) else {"": patterns}
        for group, of_group in groups.items():
            taken = _take(left, of_group)
            if taken:
                entries = found.setdefault(title, [])
                entries += [{group: taken}] if group else taken
    return found


def _take(left: set[str], patterns: Iterable[str]) -> list[str]:
    taken = []
    for pattern in patterns:
        matching = sorted(fnmatch.filter(left, pattern), key=_without_suffix)
        taken += matching
        left.difference_update(matching)
    return taken


def navigation(pages: Iterable[str]) -> str:
    """Write the navigation.

    Args:
        pages: Paths on the site.

    Returns:
        The setting ``nav``, as TOML.
    """
    entries = (
        f"    {{ {json.dumps(title)} = {_toml(found)} }},"
        for title, found in sections(pages).items()
    )
    return "\n".join(["nav = [", *entries, "]"])


def _toml(entries: Iterable[str | dict[str, list[str]]]) -> str:
    """Write pages and groups as an array."""
    written = []
    for entry in entries:
        if isinstance(entry, str):
            written.append(json.dumps(entry))
        else:
            written += [f"{{ {json.dumps(title)} = {_toml(of)} }}" for title, of in entry.items()]
    return f"[{', '.join(written)}]"


def _without_suffix(page: str) -> str:
    """Let lrmp.envs come before lrmp.accuracy."""
    return page.removesuffix(".md")
