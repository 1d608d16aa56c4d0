"""Everything is in pyproject.toml; this stops an install that would lack most of the package."""

from pathlib import Path

from setuptools import setup

for folder in ("agents", "baselines", "envs", "hardware", "leaderboard", "solvers", "studies"):
    if not (Path("src/lrmp") / folder / "__init__.py").exists():
        raise SystemExit(
            f"Expected src/lrmp/{folder} to be the package of that name, got a checkout without "
            "symbolic links; clone again with git clone -c core.symlinks=true."
        )

setup()
