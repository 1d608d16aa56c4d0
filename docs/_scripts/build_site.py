"""Build the documentation: ``python docs/_scripts/build_site.py --out site``.

Collects the documents of the repository and what is made from its code (cards of the tasks, pages
of the environments and of the API) in a folder of their own, then runs Zensical there. Warnings are
errors.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from api_pages import api_pages
from dead_links import dead_links
from environment_pages import environment_pages, environment_sources
from figures import with_sources
from navigation import navigation
from repository_links import RepositoryLinks
from task_cards import OPTIMA, card_sources, task_cards

ROOT = Path(__file__).parents[2]
#: Documents outside ``docs/``, and their pages.
DOCUMENTS = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
#: Files of ``docs/`` that belong to the site as they are.
ASSETS = (".css", ".csv", ".gif", ".ipynb", ".json", ".jsonl", ".pdf", ".png", ".svg", ".toml")
SETTINGS = ROOT / "docs" / "zensical.toml"


def stage(folder: Path) -> list[str]:
    """Write the site's sources.

    Args:
        folder: An empty folder.

    Returns:
        Links that lead nowhere.
    """
    sources = {path: f"environments/{page}" for path, page in environment_sources().items()}
    links = RepositoryLinks(ROOT, DOCUMENTS | sources | card_sources())
    documents = [ROOT / name for name in DOCUMENTS] + sorted((ROOT / "docs").rglob("*.md"))
    pages = {}
    for document in documents:
        name = PurePosixPath(document.relative_to(ROOT).as_posix())
        page = links.place(name)
        text = with_sources(document.read_text("utf-8"), str(name), page)
        pages[str(page)] = links.rewrite(text, str(name))
    environments = environment_pages()
    pages |= {f"environments/{name}": text for name, text in environments.items()}
    described = {name.removesuffix(".md") for name in environments}
    pages |= {f"api/{name}": text for name, text in api_pages(described).items()}
    pages |= {f"tasks/{name}": text for name, text in task_cards().items()}
    pages |= links.source_pages()
    for page, text in pages.items():
        path = folder / "docs" / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    for asset in (ROOT / "docs").rglob("*"):
        if asset.suffix in ASSETS and asset != SETTINGS:
            copy = folder / "docs" / asset.relative_to(ROOT / "docs")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(asset, copy)
    for optimum in OPTIMA.glob("*.json"):
        shutil.copyfile(optimum, folder / "docs" / "tasks" / optimum.name)
    settings = SETTINGS.read_text("utf-8").replace(
        "[project]\n", f"[project]\n{navigation(pages)}\n", 1
    )
    (folder / "zensical.toml").write_text(settings, "utf-8")
    return links.dead


def build(folder: Path) -> list[str]:
    """Run Zensical.

    Args:
        folder: The site's sources; the site is made in ``site`` there.

    Returns:
        What is wrong, line by line.
    """
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # --strict counts Zensical's own warnings only; those of mkdocstrings are just printed.
    lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines()
    if done.returncode or any(re.search(r"(?i)mkdocstrings|griffe|warning", x) for x in lines):
        return lines or [f"Zensical ended with {done.returncode}."]
    site = folder / "site"
    problems = [
        f"{file.relative_to(folder)}: {problem}"
        for file in sorted(site.rglob("*.html"))
        for problem in _problems(file.read_text("utf-8"))
    ]
    return [*problems, *dead_links(site)]


def _problems(html: str) -> Iterator[str]:
    """Say what is wrong with a page and no warning anywhere."""
    for url in re.findall(r"<(?:script|link|img)\b[^>]*?(?:src|href)=\"?(https?:[^\s\">]+)", html):
        yield f"Expected nothing from elsewhere, got {url}."
    text = re.sub(r"<(pre|code|script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    # GitHub reads a list or table without a blank line before it, Python-Markdown does not.
    # A number other than 1 starts no list there either: a sentence may end in one.
    for mark in re.findall(r"^(?:<p>)?((?:\| ?-{3}|```|- |1\. ).*)", text, flags=re.MULTILINE):
        yield f"Expected HTML, got Markdown {mark!r}. Put a blank line before it."


def main() -> int:
    """Run the command line.

    Returns:
        The exit code: 0, or 1 if something is wrong.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("site"), help="default: %(default)s")
    parser.add_argument("--sources-only", action="store_true", help="write no HTML")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder)
        problems = stage(sources)
        if not (problems or options.sources_only):
            problems = build(sources)
        if problems:
            print("\n".join(problems), file=sys.stderr)
            return 1
        shutil.copytree(
            sources if options.sources_only else sources / "site", options.out, dirs_exist_ok=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
