"""The navigation: which page stands where.

Known pages in a sensible order, by patterns; a new page that no pattern knows goes to the end, so
that a page can be added without touching this file.
"""

import fnmatch
import json
from collections.abc import Iterable

#: Title of a section, and patterns of its pages in order; * matches / too.
SECTIONS = {
    "Home": ("index.md", "numbers.md", "glossary.md"),
    "Tutorials": ("tutorials/*.md", "command-line.md"),
    "Environments": (
        "tasks.md",
        "environments/index.md",
        "environments/LayerwiseEnv.md",
        "environments/OneShotEnv.md",
        "environments/RefineEnv.md",
        "environments/*.md",
        "observations.md",
        "own-task.md",
        "multi-agent.md",
        "multi-objective.md",
        "procedural.md",
        "clients.md",
    ),
    "Families": ("families/*.md",),
    "Hardware": ("optimize.md", "hardware/own-network.md", "hardware/presets.md", "hardware/*.md"),
    "Accuracy": ("protocol.md", "accuracy.md", "accuracy/*.md"),
    "Benchmark": (
        "optimum.md",
        "benchmarks.md",
        "leaderboard.md",
        "board.md",
        "board-*.md",
        "studies.md",
        "clusters.md",
        "results/study/report.md",
        "results/*.md",
    ),
    "API": ("api/index.md", "api/*.md"),
    "Project": ("contributing.md", "changelog.md", "*.md"),
}
#: Reached by links only.
UNLISTED = "source/*"


def sections(pages: Iterable[str]) -> dict[str, list[str]]:
    """Sort pages into sections; a page belongs to the first pattern that matches it.

    Args:
        pages: Paths on the site.

    Returns:
        Pages by title of the section; no section is empty.
    """
    left = {page for page in pages if not fnmatch.fnmatchcase(page, UNLISTED)}
    found: dict[str, list[str]] = {}
    for title, patterns in SECTIONS.items():
        for pattern in patterns:
            matching = sorted(fnmatch.filter(left, pattern), key=_without_suffix)
            if matching:
                found.setdefault(title, []).extend(matching)
            left.difference_update(matching)
    return found


def navigation(pages: Iterable[str]) -> str:
    """Write the navigation.

    Args:
        pages: Paths on the site.

    Returns:
        The setting ``nav``, as TOML.
    """
    entries = (
        f"    {{ {json.dumps(title)} = {json.dumps(found)} }},"
        for title, found in sections(pages).items()
    )
    return "\n".join(["nav = [", *entries, "]"])


def _without_suffix(page: str) -> str:
    """Let lrmp.envs come before lrmp.accuracy."""
    return page.removesuffix(".md")
