"""Links of the documents, which must work on the site as they do in the repository.

On the site there are only pages. A link to a file or folder outside ``docs/`` leads to a page that
shows it, made here.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

#: Folder of the pages that show other files.
SOURCE = PurePosixPath("source")
LARGEST_SHOWN = 100_000  # bytes; of larger files only the size is shown
LANGUAGES = {".json": "json", ".md": "markdown", ".py": "python", ".toml": "toml"}

_CODE_BLOCK = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^()\s#:]+)(#[^()\s]*)?\)")


class RepositoryLinks:
    """Rewrites links and remembers which files must be shown.

    Attributes:
        root: The repository.
        pages: Page by path in the repository, of what is outside ``docs/`` and has one.
        dead: Links that led nowhere, one message each.
    """

    def __init__(self, root: Path, pages: Mapping[str, str]) -> None:
        self.root = root
        self.pages = pages
        self.dead: list[str] = []
        self._linked: set[PurePosixPath] = set()

    def rewrite(self, text: str, document: str) -> str:
        """Turn links between files into links between pages.

        Args:
            text: Markdown.
            document: Path of the document in the repository, which its links are relative to.

        Returns:
            Markdown; blocks of code and dead links are left alone.
        """
        page = self.place(PurePosixPath(document))

        def link(match: re.Match[str]) -> str:
            target = os.path.normpath(PurePosixPath(document).parent / match[1])
            if not (self.root / target).exists():
                self.dead.append(f"{document}: Expected a file or folder {target}, got none.")
                return match[0]
            place = os.path.relpath(self.place(PurePosixPath(target)), page.parent)
            return f"]({place}{match[2] or ''})"

        parts = _CODE_BLOCK.split(text)
        parts[::2] = [_LINK.sub(link, part) for part in parts[::2]]
        return "".join(parts)

    def place(self, path: PurePosixPath) -> PurePosixPath:
        """Say where on the site a file or folder of the repository is."""
        if str(path) in self.pages:
            return PurePosixPath(self.pages[str(path)])
        if path.parts[0] == "docs" and (self.root / path).is_file():
            return path.relative_to("docs")
        self._linked.add(path)
        return SOURCE / f"{path}.md"

    def source_pages(self) -> dict[str, str]:
        """Write the pages of what was linked.

        Returns:
            Markdown by path on the site.
        """
        return {str(self.place(path)): self._source_page(path) for path in sorted(self._linked)}

    def _source_page(self, path: PurePosixPath) -> str:
        found = self.root / path
        blocks = [f"# {path}"]
        if found.is_file():
            blocks += _show(found)
        else:
            for file in sorted(entry for entry in found.iterdir() if entry.is_file()):
                blocks += [f"## {file.name}", *_show(file)]
        return "\n\n".join(blocks) + "\n"


def _show(file: Path) -> Iterator[str]:
    size = file.stat().st_size
    if file.suffix not in LANGUAGES or size > LARGEST_SHOWN:
        yield f"{size:,} bytes, not shown here."
    else:
        # Four backticks: the file may hold blocks of code itself.
        yield f"````{LANGUAGES[file.suffix]}\n{file.read_text('utf-8').rstrip()}\n````"
