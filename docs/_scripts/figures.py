"""How every figure is made again, shown below it: the command, and the hash of its data."""

import fnmatch
import hashlib
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "figures.toml"
#: A figure has a line to itself; what stands in tables is shown for another reason.
_FIGURE = re.compile(r"^!\[[^\]]*\]\(([^()\s#:]+)\)$", re.MULTILINE)
_CODE_BLOCK = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """Where a figure comes from.

    Attributes:
        command: What makes it again.
        data: What it draws or writes, as paths in the repository.
    """

    command: str
    data: tuple[str, ...]


def figures_of(text: str) -> Iterator[str]:
    """Find the figures of a document.

    Args:
        text: Markdown.

    Yields:
        Their paths, as the document has them.
    """
    for part in _CODE_BLOCK.split(text)[::2]:
        yield from _FIGURE.findall(part)


def sources_of(figure: str) -> list[Source]:
    """Look a figure up.

    Args:
        figure: Its path below ``docs/``.

    Returns:
        What ``figures.toml`` says; one source where it is right.
    """
    path = PurePosixPath(figure)
    names = {"folder": str(path.parent), "name": path.stem}
    return [
        Source(entry["command"].format(**names), tuple(d.format(**names) for d in entry["data"]))
        for entry in _entries()
        if any(fnmatch.fnmatchcase(figure, pattern) for pattern in entry["paths"])
    ]


@cache
def _entries() -> list[dict[str, str]]:
    entries: list[dict[str, str]] = tomllib.loads(FIGURES.read_text("utf-8"))["figures"]
    return entries


def with_sources(text: str, document: str, page: PurePosixPath) -> str:
    """Say below every figure how it is made again.

    Args:
        text: Markdown.
        document: Its path in the repository, which its links are relative to.
        page: Its path on the site.

    Returns:
        Markdown with HTML below the figures that are known.
    """

    def shown(match: re.Match[str]) -> str:
        path = os.path.normpath(PurePosixPath(document).parent / match[1])
        sources = sources_of(os.path.relpath(path, "docs"))
        return match[0] + "".join(f"\n\n{_shown(source, page)}" for source in sources)

    parts = _CODE_BLOCK.split(text)
    parts[::2] = [_FIGURE.sub(shown, part) for part in parts[::2]]
    return "".join(parts)


def _shown(source: Source, page: PurePosixPath) -> str:
    data = "".join(f"<li>{_data(path, page)}</li>" for path in source.data)
    return (
        '<details class="reproduce"><summary>Reproduce this figure</summary>'
        f"<pre><code>{escape(source.command)}</code></pre>"
        + (f"<p>Its data:</p><ul>{data}</ul>" if data else "<p>It is measured anew.</p>")
        + "</details>"
    )


def _data(path: str, page: PurePosixPath) -> str:
    """Link a file that is on the site, and give its hash."""
    name = f"<code>{escape(path)}</code>"
    if path.startswith("docs/"):
        target = os.path.relpath(path.removeprefix("docs/"), page.parent)
        name = f'<a href="{escape(target)}">{name}</a>'
    return f"{name}, SHA-256 <code>{sha256(ROOT / path)}</code>"


def sha256(path: Path) -> str:
    """Hash data.

    Args:
        path: A file; of a folder its data files are hashed one after the other, by name.

    Returns:
        In hexadecimal digits.
    """
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".json", ".jsonl"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
