"""Take the pictures of docs/board.md: ``python docs/_scripts/board_pictures.py URL``.

Of a board such as that of ``lrmp board demo``, in Chromium, at the widths of a desk and a phone.
"""

import argparse
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from lrmp.leaderboard.client.connection import Connection

OUT = Path(__file__).parents[1] / "board"
WIDTHS = {"desk": (1280, 1500), "phone": (390, 1100)}
COLOURS = 128  # enough for pages, and a third of the bytes


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("board", metavar="URL")
    parser.add_argument("--out", type=Path, default=OUT, help="default: %(default)s")
    options = parser.parse_args()
    paths = _paths(options.board)
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for width in WIDTHS:
            for name, path in paths.items():
                _take(chromium, options.board + path, width, options.out / f"{name}-{width}.png")
        chromium.close()


def _paths(address: str) -> dict[str, str]:
    with Connection(address) as connection:
        tasks = [task for task in connection.get("/tasks") if task["designs"]]
        task = max(tasks, key=lambda each: (each["layers"] > 20, each["designs"]))
        ranking = connection.get(f"/rankings/designs/{task['id']}")
        rounds = connection.get("/rounds", track="search")
    return {
        "board": "/",
        "task": f"/tasks/{task['id']}",
        "submission": f"/submissions/{ranking['designs'][0]['submission']}",
        "round": f"/rounds/{rounds[0]['name']}",
    }


def _take(chromium: Browser, url: str, width: str, path: Path) -> None:
    across, most = WIDTHS[width]
    page = chromium.new_page(viewport={"width": across, "height": 800})
    page.goto(url)
    page.wait_for_load_state("networkidle")
    height = min(most, page.evaluate("document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": across, "height": height}
    page.screenshot(path=path, full_page=True, clip=clip)
    page.close()
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


if __name__ == "__main__":
    main()
