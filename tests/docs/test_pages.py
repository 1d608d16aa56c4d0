import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest

import lrmp.envs
from lrmp.accuracy import TableAccuracy
from lrmp.accuracy.model.table_verdict import TableVerdict
from lrmp.envs import load_task, make_task, stored_optimum

SCRIPTS = Path(__file__).parents[2] / "docs" / "_scripts"

pytestmark = pytest.mark.skipif(not SCRIPTS.exists(), reason="the tests run outside the repository")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Return the folder with the site's sources, as Zensical gets them."""
    folder = tmp_path_factory.mktemp("site")
    script = [sys.executable, SCRIPTS / "build_site.py", "--sources-only", "--out", folder]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)


def test_every_id_is_in_the_table_of_its_form(sources):
    ids = [env_id for env_id in gym.registry if env_id.startswith("LRMP-")]
    assert len(ids) > 100
    for env_id in ids:
        form = gym.spec(env_id).entry_point.partition(":")[2]
        page = (sources / "docs" / "environments" / f"{form}.md").read_text("utf-8")
        names = f"| `{env_id}` |", f"| [`{env_id}`](../tasks/"
        (row,) = [line for line in page.splitlines() if line.startswith(names)]
        optimum = gym.spec(env_id).reward_threshold
        assert f"| {'—' if optimum is None else f'{optimum:.4f}'} |" in row


def test_every_multi_agent_id_is_in_its_table(sources):
    pytest.importorskip("lrmp.envs.forms.multi_agent")
    import pettingzoo

    ids = [env_id for env_id in pettingzoo.parallel_registry if env_id.startswith("LRMP/")]
    pages = (
        "MultiAgentEnv.md",
        "NetworkAgentsEnv.md",
        "ChipAgentsEnv.md",
        "FiltersAgentsEnv.md",
    )
    folder = sources / "docs" / "environments"
    page = "".join((folder / name).read_text("utf-8") for name in pages)
    assert ids
    named = "".join(re.findall(r"^\| \[?`[^`]*`", page, re.M))
    assert [env_id for env_id in ids if f"`{env_id}`" not in named] == []


def test_environment_page_has_spaces_task_and_docstring(sources):
    page = (sources / "docs" / "environments" / "OneShotEnv.md").read_text("utf-8")
    holds = load_task("LRMP-LeNet-v0").accuracy_holds
    optimum = stored_optimum("LRMP-LeNet-v0")
    assert (
        "| [`LRMP-LeNet-OneShot-v0`](../tasks/LRMP-LeNet-v0.md) | 4 | latency | table "
        f"| {'yes' if holds else 'no'} "
        f"| {optimum.value:.4f} | {optimum.constant.value:.4f} "
        "| `Box(0.0, 1.0, (12,), float32)` | `Box(-1.0, 1.0, (8,), float32)` |"
    ) in page
    headings = [line.strip() for line in lrmp.envs.OneShotEnv.__doc__.splitlines() if "## " in line]
    assert len(headings) > 8
    assert [heading for heading in headings if heading not in page] == []
    assert "```pycon\n>>> import gymnasium" in page
    assert "[`LayerwiseEnv`](LayerwiseEnv.md)" in page


def test_tables_that_do_not_hold_say_so_on_the_pages(scripts, monkeypatch):
    import derived_tables
    import environment_pages

    table = {name: [[0.0] * 7] * 4 for name in ("weight_bits", "activation_bits")}
    said, readme = {}, {}
    for misses in ((), ("divergence off", "test drop off")):
        verdict = TableVerdict(misses)
        accuracy = TableAccuracy(table, "by hand", is_estimate=False, verdict=verdict)
        task = replace(make_task("lenet", accuracy=accuracy), id="LRMP-LeNet-v0")
        cells = dict(
            zip(
                environment_pages.HEAD[1:],
                environment_pages._describe(task, lrmp.envs.OneShotEnv),
                strict=False,
            )
        )
        assert cells["accuracy"] == "table"
        said[misses] = cells["holds"]
        monkeypatch.setattr(derived_tables, "list_tasks", lambda *_, family: ["LRMP-LeNet-v0"])
        monkeypatch.setattr(derived_tables, "load_task", lambda task_id, task=task: task)
        readme[misses] = list(derived_tables._tasks())[-1]
    assert list(said.values()) == ["yes", "no"]
    held, missed = readme.values()
    assert held.endswith("| table measured on the quantised network |")
    assert missed.endswith("network, not found to hold on optimised designs |")


def pages_of(entries):
    """Return the pages of a navigation, those of its groups included."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for found in entry.values():
                yield from pages_of(found)


def test_navigation_has_every_page_once(sources):
    (settings,) = [tomllib.loads(path.read_text("utf-8")) for path in sources.glob("zensical.toml")]
    listed = list(pages_of(settings["project"]["nav"]))
    there = {path.relative_to(sources / "docs").as_posix() for path in sources.rglob("*.md")}
    assert sorted(listed) == sorted(page for page in there if not page.startswith("source/"))
    documents = {path.relative_to(SCRIPTS.parent) for path in SCRIPTS.parent.rglob("*.md")}
    assert {path.as_posix() for path in documents} <= set(listed)


def test_unknown_page_gets_a_place(scripts):
    from navigation import sections

    pages = ["new/thing.md", "index.md", "source/a.py.md"]
    assert sections(pages) == {"Home": ["index.md"], "Project": ["new/thing.md"]}


def test_api_page_names_what_a_package_exports(sources):
    page = (sources / "docs" / "api" / "envs.md").read_text("utf-8")
    assert [name for name in lrmp.envs.__all__ if f"::: lrmp.envs.{name}\n" not in page] == []


def test_tables_are_those_that_the_code_gives(scripts):
    from derived_tables import TABLES, derived

    texts = {name: (SCRIPTS.parents[1] / name).read_text("utf-8") for name in TABLES}
    stale = [name for name, text in texts.items() if derived(name, text) != text]
    assert stale == [], "Run python docs/_scripts/derived_tables.py"
    for name, text in texts.items():
        count = len(TABLES[name])
        times = "once" if count == 1 else f"{count} times"
        for marker in ("<!-- table -->", "<!-- end of table -->"):
            with pytest.raises(ValueError, match=f"Expected <!-- table --> .* {times} in {name}"):
                derived(name, text.replace(marker, "", 1))


def test_links_lead_to_pages(scripts, tmp_path):
    from repository_links import RepositoryLinks

    for path, text in {
        "docs/a/b.md": "",
        "docs/c.md": "",
        "x.py": "x = 1\n",
        "f/y.bin": "0",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "README.md").write_text("")
    links = RepositoryLinks(tmp_path, {"README.md": "index.md"})
    code = "```md\n[x](../../nothing.md)\n```\n"
    text = "[c](../c.md#part) [r](../../README.md) [x](../../x.py) [f](../../f) <https://a.b>\n"
    assert links.rewrite(text + code, "docs/a/b.md") == (
        "[c](../c.md#part) [r](../index.md) [x](../source/x.py.md) [f](../source/f.md) "
        "<https://a.b>\n" + code
    )
    assert links.source_pages() == {
        "source/f.md": "# f\n\n## y.bin\n\n1 bytes, not shown here.\n",
        "source/x.py.md": "# x.py\n\n````python\nx = 1\n````\n",
    }
    assert links.dead == []
    links.rewrite("[d](d.md)", "docs/a/b.md")
    assert links.dead == ["docs/a/b.md: Expected a file or folder docs/a/d.md, got none."]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[gone](gone.md)", "page does not exist"),
        ("::: lrmp.envs.Nothing", "Could not collect 'lrmp.envs.Nothing'"),
        ("A list:\n- without a line before", "got Markdown '- without a line before"),
        ('<img src="https://example.org/a.png">', "got https://example.org/a.png"),
        ("Steps:\n1. without a line before", "got Markdown '1. without a line before"),
        ("![fine](a.png)", None),
        ("A line may begin with the number\n125. It ends a sentence there.", None),
    ],
)
def test_a_bad_page_fails_the_build(text, problem, scripts, tmp_path):
    pytest.importorskip("zensical")
    from build_site import SETTINGS, build

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Home\n\n{text}\n")
    (tmp_path / "docs" / "a.png").touch()
    (tmp_path / "docs" / "site.css").touch()
    (tmp_path / "zensical.toml").write_text(SETTINGS.read_text("utf-8"))
    problems = "\n".join(build(tmp_path))
    assert problem in problems if problem else not problems


def test_links_of_the_built_site_are_followed(scripts, tmp_path):
    from dead_links import dead_links

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text(
        '<h2 id="part">x</h2><a href="../b%20c.html#top">x</a>'
    )
    links = "a/ a/#part a/index.html#part # #top a.csv https://x.y/z mailto:x a/#other b.html"
    anchors = "".join(f'<a href="{link}">x</a>' for link in links.split())
    (tmp_path / "b c.html").write_text(f'<h1 id="top">x</h1>{anchors}<img src="x.png">')
    assert list(dead_links(tmp_path)) == [
        "b c.html: Expected a file for the link a.csv, got none.",
        "b c.html: Expected a heading for the link a/#other, got none.",
        "b c.html: Expected a file for the link b.html, got none.",
        "b c.html: Expected a file for the link x.png, got none.",
    ]
