import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

from lrmp.install_command import install_command

ROOT = Path(__file__).parents[2]

needs_checkout = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="the tests run outside the repository"
)


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@needs_checkout
def test_every_top_level_package_is_linked_into_lrmp():
    folders = {init.parent.name for init in ROOT.glob("*/__init__.py")}
    assert folders == {
        "agents",
        "baselines",
        "envs",
        "hardware",
        "leaderboard",
        "solvers",
        "studies",
    }
    for folder in folders:
        assert (ROOT / "src" / "lrmp" / folder).resolve() == ROOT / folder
    checked = ["src/lrmp", *(f"src/lrmp/{folder}" for folder in sorted(folders))]
    assert project()["tool"]["pyright"]["include"] == checked


@needs_checkout
def test_every_data_file_is_covered_by_package_data():
    patterns = project()["tool"]["setuptools"]["package-data"]["*"]
    folders = [path for path in (ROOT / "src" / "lrmp").iterdir() if path.is_dir()]
    packages = [ROOT / "src" / "lrmp"]
    packages += [init.parent for path in folders for init in path.resolve().rglob("__init__.py")]
    covered = {
        file for package in packages for pattern in patterns for file in package.glob(pattern)
    }
    data = {
        file
        for package in packages
        for file in package.rglob("*")
        if file.is_file() and file.suffix != ".py" and file.parent.name != "__pycache__"
    }
    assert data <= covered


@needs_checkout
def test_every_folder_with_modules_is_a_package():
    # Packages are found by their __init__.py; the wheel would lack the others.
    folders = [path for path in (ROOT / "src" / "lrmp").iterdir() if path.is_dir()]
    modules = [module for path in folders for module in path.resolve().rglob("*.py")]
    assert len(modules) > 200
    assert [m for m in modules if not m.with_name("__init__.py").exists()] == []


@needs_checkout
def test_a_checkout_without_links_says_what_to_do(tmp_path):
    (tmp_path / "setup.py").write_text((ROOT / "setup.py").read_text("utf-8"), "utf-8")
    done = subprocess.run(
        [sys.executable, "setup.py", "--version"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Expected src/lrmp/agents to be the package of that name, got ")


def test_data_files_are_installed():
    from importlib import resources

    for package, name in (
        ("lrmp", "py.typed"),
        ("lrmp.hardware.presets", "lrmp_frontiers_2024.toml"),
        ("lrmp.accuracy.model", "digits_cnn.safetensors"),
        ("lrmp.leaderboard", "record.schema.json"),
    ):
        assert resources.files(package).joinpath(name).is_file(), f"{package}/{name}"


def test_version_and_licence_of_the_installed_package():
    import lrmp

    assert lrmp.__version__ == version("lrmp")
    assert metadata("lrmp")["License-Expression"] == "Apache-2.0"


@pytest.mark.parametrize("stray", ["envs", "agents", "hardware", "solvers", "baselines", "tests"])
def test_no_stray_module_is_installed(tmp_path, stray):
    done = subprocess.run(
        [sys.executable, "-c", f"import {stray}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert f"No module named '{stray}'" in done.stderr


def test_describing_chips_and_networks_loads_no_framework():
    code = """
import sys
import lrmp.hardware
lrmp.hardware.load_network("llama_7b")
print(sorted({"torch", "onnx", "ortools", "matplotlib", "numba", "sklearn"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_reading_a_torch_module_without_torch_says_what_to_install():
    code = """
import sys
sys.modules["torch"] = None  # how Python itself marks a module that must not be imported
from lrmp.hardware import Network
try:
    Network.from_torch(None, None)
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("MissingExtraError Expected torch to read a torch module; run ")
    assert f"run {install_command('train')}." in done.stdout


@needs_checkout
def test_readme_has_two_commands_and_working_snippets():
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = [line for line in readme.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert "lrmp demo" in commands[0]
    assert ".ci/check" in commands[1]
    # What needs another library, tests/clients runs.
    snippets = re.findall(r"(?<!<!-- learn -->\n)```python\n(.*?)```", readme, re.S)
    outputs = []
    for snippet in snippets:
        done = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert "gain" in outputs[0]


@needs_checkout
def test_pictures_and_links_of_the_documents_exist():
    import re

    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        text = document.read_text("utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
