"""Pages of the API: what every package exports, for mkdocstrings to fill in.

Packages are read, not imported: some need an extra.
"""

import ast
import pkgutil
from collections.abc import Collection, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import lrmp

#: Shown module by module, as they export nothing.
OPEN = (
    "lrmp.agents",
    "lrmp.baselines.experiments",
    "lrmp.baselines.learners",
    "lrmp.baselines.learners.settings",
    "lrmp.baselines.running",
    "lrmp.baselines.searchers",
    "lrmp.envs.procedural",
    "lrmp.errors",
    "lrmp.plotting",
)
#: The command line has its own help.
CLOSED = ("lrmp.cli",)


def api_pages(environments: Collection[str]) -> dict[str, str]:
    """Write the pages.

    Args:
        environments: Names of the classes that have a page of their own, which shows the docstring.

    Returns:
        Markdown by file name.
    """
    pages = {}
    for spec in _modules(list(lrmp.__path__), "lrmp."):
        code = ast.parse(Path(spec.origin or "").read_text("utf-8"))
        names = _modules_or_itself(spec) if spec.name in OPEN else _exports(spec.name, code)
        if names:
            blocks = [f"# {spec.name}", ast.get_docstring(code) or ""]
            blocks += (_block(name, environments) for name in names)
            pages[f"{spec.name.removeprefix('lrmp.')}.md"] = "\n\n".join(blocks) + "\n"
    rows = (f"- [`lrmp.{page.removesuffix('.md')}`]({page})" for page in sorted(pages))
    return {"index.md": "\n".join(["# API\n", *rows, ""]), **pages}


def _block(name: str, environments: Collection[str]) -> str:
    """Ask mkdocstrings for one name."""
    block, short = f"::: {name}", name.rpartition(".")[2]
    if short not in environments:
        return block
    page = f"../environments/{short}.md"
    return (
        f"{block}\n    options:\n      show_docstring_description: false\n\n"
        f"Described on [its page]({page})."
    )


def _modules(path: list[str], prefix: str) -> Iterator[ModuleSpec]:
    """Find packages, the packages in them, and what else is open."""
    for module in pkgutil.iter_modules(path, prefix):
        spec = module.module_finder.find_spec(module.name, None)
        if spec is not None and (module.ispkg or module.name in OPEN) and module.name not in CLOSED:
            yield spec
            yield from _modules(spec.submodule_search_locations or [], f"{module.name}.")


def _modules_or_itself(spec: ModuleSpec) -> list[str]:
    inside = pkgutil.iter_modules(spec.submodule_search_locations or [], f"{spec.name}.")
    return [module.name for module in inside if not module.ispkg] or [spec.name]


def _exports(package: str, code: ast.Module) -> list[str]:
    """Read ``__all__``."""
    for statement in code.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return [f"{package}.{name}" for name in ast.literal_eval(statement.value)]
    return []
