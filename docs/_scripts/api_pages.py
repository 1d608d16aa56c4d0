"""Pages of the API: what every package exports, for mkdocstrings to fill in."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import gymnasium as gym

import lrmp

#: Shown module by module, as they export nothing.
OPEN = ("lrmp.agents", "lrmp.baselines", "lrmp.envs.procedural")
#: The command line has its own help.
CLOSED = ("lrmp.cli",)


def api_pages() -> dict[str, str]:
    """Write the pages.

    Returns:
        Markdown by file name.
    """
    pages = {"errors.md": _page(importlib.import_module("lrmp.errors"), ["lrmp.errors"])}
    for package in _packages(lrmp):
        name = package.__name__
        if name in OPEN:
            parts = [f"{name}.{module.name}" for module in _modules(package)]
        else:
            parts = [f"{name}.{part}" for part in getattr(package, "__all__", ())]
        if parts:
            pages[f"{name.removeprefix('lrmp.')}.md"] = _page(package, parts)
    rows = (f"- [`lrmp.{page.removesuffix('.md')}`]({page})" for page in sorted(pages))
    return {"index.md": "\n".join(["# API\n", *rows, ""]), **pages}


def _page(module: ModuleType, parts: list[str]) -> str:
    blocks = [f"# {module.__name__}", (module.__doc__ or "").strip()]
    for part in parts:
        blocks.append(f"::: {part}")
        value = getattr(module, part.rpartition(".")[2], None)
        if isinstance(value, type) and issubclass(value, gym.Env):
            page = f"../environments/{value.__name__}.md"
            blocks[-1] += "\n    options:\n      show_docstring_description: false"
            blocks.append(f"Described on [its page]({page}).")
    return "\n\n".join(blocks) + "\n"


def _packages(root: ModuleType) -> Iterator[ModuleType]:
    for module in pkgutil.iter_modules(root.__path__, f"{root.__name__}."):
        if module.ispkg and module.name not in CLOSED:
            package = importlib.import_module(module.name)
            yield package
            yield from _packages(package)


def _modules(package: ModuleType) -> list[pkgutil.ModuleInfo]:
    return [module for module in pkgutil.iter_modules(package.__path__) if not module.ispkg]
