"""Links of the built site that lead nowhere: to no file, or to no heading of the page."""

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """Gathers what a page links to, and what can be linked to in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.add(value)
            if value and (name == "id" or (tag == "a" and name == "name")):
                self.places.add(value)


@cache
def _page(file: Path) -> _Page:
    return _Page(file.read_text("utf-8"))


def dead_links(site: Path) -> Iterator[str]:
    """Follow every link within a site.

    Args:
        site: Its folder.

    Yields:
        One message for each link that leads nowhere.
    """
    for file in sorted(site.rglob("*.html")):
        if file.name == "404.html":  # its links begin at the root of the server
            continue
        for link in sorted(_page(file).links):
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            target = target / "index.html" if target.is_dir() else target
            place = unquote(url.fragment)
            if not target.is_file():
                yield f"{file.relative_to(site)}: Expected a file for the link {link}, got none."
            elif place and target.suffix == ".html" and place not in _page(target).places:
                yield f"{file.relative_to(site)}: Expected a heading for the link {link}, got none."
