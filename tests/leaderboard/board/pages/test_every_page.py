"""What holds for every page: its form, and that nothing a stranger wrote is more than text."""

import hashlib
import time
from dataclasses import replace
from importlib import resources
from urllib.parse import quote

import pytest

pytest.importorskip("fastapi")

from lrmp.errors import BoardError
from lrmp.leaderboard.board.database.models import Agent, Team
from lrmp.leaderboard.board.pages import static_files

pytestmark = pytest.mark.long


PATHS = (
    "/",
    "/?all=true",
    "/tasks/LRMP-ResNet18-v0",
    "/tasks/LRMP-Shared-Edge-v0",
    "/rounds",
    "/rounds/search-1",
    "/agents",
    "/agents/ants/walker@1",
    "/compare",
    "/log",
    "/log/1",
    "/disputes",
    "/take-part",
    "/sign-in",
    "/join",
    "/account",
    "/submit",
)
#: Elements of a page whose name, label or caption is missing; headings that skip a level.
UNNAMED = """() => {
    const wrong = [];
    const seen = each => each.getClientRects().length > 0;
    for (const each of document.querySelectorAll("input, select, textarea"))
        if (each.type !== "hidden" && seen(each) && !each.labels.length && !each.ariaLabel)
            wrong.push(`no label: ${each.outerHTML}`);
    for (const each of document.querySelectorAll("svg[role=img]"))
        if (!each.ariaLabel) wrong.push(`no name: ${each.outerHTML.slice(0, 80)}`);
    for (const each of document.querySelectorAll("table"))
        if (!each.caption || !each.caption.textContent.trim()) wrong.push("no caption");
    for (const each of document.querySelectorAll("a, button"))
        if (seen(each) && !each.textContent.trim() && !each.ariaLabel)
            wrong.push(`no text: ${each.outerHTML}`);
    for (const each of document.querySelectorAll("[style], [onclick], script:not([src])"))
        wrong.push(`inline: ${each.outerHTML.slice(0, 80)}`);
    let level = 0;
    for (const each of document.querySelectorAll("h1, h2, h3")) {
        const own = Number(each.tagName[1]);
        if (own > level + 1) wrong.push(`skips a level: ${each.textContent}`);
        level = own;
    }
    if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
    for (const each of ["header", "nav", "main", "footer"])
        if (!document.querySelector(each)) wrong.push(`no ${each}`);
    const ids = [...document.querySelectorAll("[id]")].map(each => each.id);
    if (new Set(ids).size !== ids.length) wrong.push("an id twice");
    return wrong;
}"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'}}{{7*7}}"


def test_everything_has_a_name_and_fits_a_phone(open_page, live_board):
    page = open_page(token=live_board.admin, viewport={"width": 390, "height": 844})
    for path in PATHS:
        assert page.goto(path).status == 200, path
        assert page.evaluate(UNNAMED) == [], path
        assert page.evaluate(OVERFLOW) <= 0, path
        assert page.locator("html").get_attribute("lang") == "en", path


def test_a_ranking_is_whole_on_a_desk_and_on_a_phone(open_page, live_board, digits_record):
    """With all that a row may hold: a long name, and what the network says."""
    agent, board = "ants/policy-gradient-pretrained@2026", live_board.board
    with live_board.connection() as connection:
        connection.post("/agents", {"agent": agent, "code": None})
        document = {"agent": agent, "record": replace(digits_record, seed=71).to_json()}
        mine = connection.post("/submissions", document)["id"]
        while (row := connection.get(f"/submissions/{mine}"))["state"] == "waiting":
            time.sleep(0.1)
    network = {"drop": 1.25, "low": -10.55, "high": 12.75, "images": 100}
    with board.database.write() as session:
        body = {"number": row["log_number"], "submission": mine, **network}
        board.log(session, "checked", body)
    for width in (1280, 1001, 1000, 640, 390):
        page = open_page("/tasks/LRMP-Digits-v0", viewport={"width": width, "height": 844})
        ranking = page.get_by_role("group", name="Designs", exact=True)
        assert ranking.evaluate("each => each.scrollWidth - each.clientWidth") <= 0, width
        found = ranking.get_by_role("row").filter(has=page.get_by_role("link", name="policy"))
        assert "1.25 [-10.55, 12.75]" in found.text_content()
        assert found.get_by_role("cell").count() == 11, width  # whatever the layout is


def test_htmx_is_the_registrys_file_with_its_licence():
    version, digest = static_files.HTMX
    content = static_files.content_of("htmx.min.js")
    assert hashlib.sha256(content).hexdigest() == digest
    assert f'version:"{version}"'.encode() in content
    folder = resources.files("lrmp.leaderboard.board.pages") / "static"
    assert "Zero-Clause BSD" in (folder / "htmx.LICENSE.txt").read_text("utf-8")


def test_every_link_of_the_pages_leads_somewhere(open_page, live_board):
    page = open_page(token=live_board.admin)
    found = set()
    for path in PATHS:
        page.goto(path)
        found |= set(
            page.locator("a[href^='/'], link[href^='/'], script").evaluate_all(
                "all => all.map(each => each.getAttribute('href') || each.getAttribute('src'))"
            )
        )
    assert len(found) > 100
    tasks = sorted(path for path in found if path.startswith("/tasks/"))
    for path in sorted(found - set(tasks[3:])):  # which are pages of one kind
        assert page.context.request.get(path).status == 200, path


def test_the_keyboard_reaches_the_content_and_focus_is_seen(open_page):
    page = open_page("/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    assert skip.evaluate("each => each === document.activeElement")
    assert skip.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    style = "getComputedStyle(document.activeElement)"
    assert page.evaluate(f"{style}.outlineStyle") == "solid"
    assert page.evaluate(f"parseFloat({style}.outlineWidth)") >= 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast(open_page, scheme):
    """The ratio of luminances of every colour of text to its paper, as WCAG 2 computes it."""
    page = open_page("/", color_scheme=scheme)
    ratio = """([ink, paper]) => {
        const root = getComputedStyle(document.documentElement);
        const light = name => {
            const hex = root.getPropertyValue(name).trim().slice(1);
            const full = hex.length === 3 ? [...hex].map(c => c + c).join("") : hex;
            const [r, g, b] = [0, 2, 4].map(i => parseInt(full.slice(i, i + 2), 16) / 255)
                .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const [high, low] = [light(ink), light(paper)].sort((a, b) => b - a);
        return (high + 0.05) / (low + 0.05);
    }"""
    for paper in ("--paper", "--card"):
        for ink in ("--ink", "--quiet", "--accent", "--good", "--bad", "--warn"):
            assert page.evaluate(ratio, [ink, paper]) >= 4.5, (ink, paper)
        for colour in range(7):  # graphics need 3
            assert page.evaluate(ratio, [f"--s{colour}", paper]) >= 3, (colour, paper)


def test_pages_are_sent_with_a_strict_policy(open_page):
    page = open_page("/")
    headers = page.context.request.get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    # What a stranger could bring into a page would not run.
    page.evaluate("document.body.append(Object.assign(document.createElement('a'), {id: 'mark'}))")
    assert page.evaluate("typeof htmx") == "object"


def test_what_is_at_no_address_is_a_page_for_people_and_json_for_programs(open_page):
    page = open_page("/nowhere", expected=404)
    assert "There is no page" in page.get_by_role("alert").text_content()
    answer = page.context.request.get("/api/v1/nowhere")
    assert (answer.status, answer.json()) == (404, {"detail": "Not Found"})
    page.goto("/tasks/LRMP-ResNet18-v9")
    assert "Did you mean 'LRMP-ResNet18-v0'" in page.get_by_role("alert").text_content()


@pytest.fixture(scope="module")
def hostile(live_board):
    """What the interface refuses, written into the database by hand: a name, an address, texts."""
    board, name = live_board.board, f"ants/{HOSTILE}@1"
    with board.database.write() as session:
        team = session.query(Team).filter_by(name="ants").one()
        session.add(
            Agent(
                team_id=team.id,
                name=name,
                folded="hostile",
                code="javascript:alert(3)",
                created_at="2026-11-30T08:00:00.000000Z",
            )
        )
        body = {
            "run": "hostile",
            "round": "search-1",
            "agent": name,
            "instance": 0,
            "fingerprint": HOSTILE,
        }
        item = board.log(session, "run-opened", body)
        board.log(session, "withdrawn", {"number": 1, "reason": HOSTILE})
    with live_board.connection() as connection:
        connection.post("/disputes", {"number": item.number, "text": HOSTILE})
    return name, item.number


def test_what_strangers_wrote_is_text(open_page, live_board, hostile):
    name, number = hostile
    quoted = quote(name, safe="")
    page = open_page(token=live_board.member)
    for path in (
        "/",
        "/agents",
        f"/agents/{quoted}",
        f"/compare?agent={quoted}&agent=ants/walker@1",
        "/rounds/search-1",
        "/log",
        f"/log/{number}",
        "/disputes",
        "/account",
        "/submit",
        f"/sign-in?next={quoted}",
        f"/?q={quoted[:60]}",
    ):
        # `open_page` fails on dialogs, on errors, and on what the policy had to stop.
        assert page.goto(path).status == 200, path
        page.wait_for_load_state("networkidle")
        assert page.locator("img").count() == 0, path
        assert page.locator("a[href^='javascript:']").count() == 0, path
        shown = page.content()
        assert "<img src=x" not in shown, path
        assert "<script>alert" not in shown, path
        if not path.startswith(("/sign-in", "/?q")):  # they do not show it
            assert "onerror=alert(1)" in page.locator("body").inner_html(), path


def test_a_refused_record_shows_its_texts_as_text(open_page, live_board, digits_record):
    with live_board.connection() as connection:
        document = replace(digits_record, versions={"lrmp": HOSTILE}).to_json()
        with pytest.raises(BoardError, match="The record is refused") as caught:
            connection.post("/submissions", {"agent": "ants/walker@1", "record": document})
    assert caught.value.status == 422
    page = open_page("/submit", token=live_board.member)
    page.get_by_label("or the record itself").fill('{"schema_version": "<img src=x>"}')
    page.get_by_role("main").get_by_role("button", name="Submit").click()
    assert "<img src=x" in page.get_by_role("alert").text_content()
    assert page.locator("img").count() == 0
