"""The command that brings what an installation of lrmp lacks."""

import json
import shlex
from typing import Any
from urllib.parse import unquote, urlsplit


def install_command(extras: str) -> str:
    """Tell how to install optional dependencies from where lrmp itself came.

    pip notes a source other than an index beside the package (PEP 610): a clone, an editable one, a
    wheel. Installing by name there would ask an index for a package that may be another, or none.

    Args:
        extras: Names as in ``pyproject.toml``, such as ``"train"`` or ``"accuracy,plot"``.

    Returns:
        A line for a shell, such as ``pip install "lrmp[train]"``.
    """
    from importlib.metadata import Distribution, PackageNotFoundError  # slow, and seldom needed

    try:
        noted = Distribution.from_name("lrmp").read_text("direct_url.json")
    except PackageNotFoundError:  # imported from its folder, never installed
        noted = None
    return f"pip install {_requirement(extras, json.loads(noted) if noted else None)}"


def _requirement(extras: str, source: dict[str, Any] | None) -> str:
    if source is None:
        return f'"lrmp[{extras}]"'
    url = urlsplit(source["url"])
    if "dir_info" in source:
        editable = "-e " if source["dir_info"].get("editable") else ""
        return editable + shlex.quote(f"{unquote(url.path)}[{extras}]")
    scheme = f"{source['vcs_info']['vcs']}+" if "vcs_info" in source else ""
    return f'"lrmp[{extras}] @ {scheme}{url.geturl()}"'
