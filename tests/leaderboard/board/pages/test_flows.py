"""What people do with the board, in a browser."""

import json
import re
from dataclasses import replace

import pytest

#: Its assertions wait: behind a click the page before may still be there.
expect = pytest.importorskip("playwright.sync_api", reason="browser tests need it").expect
pytestmark = pytest.mark.long


def record_of(record, seed, **changes):
    return replace(record, seed=seed, **changes).to_line()


def hand_in(page, text, agent="ants/walker@1"):
    page.get_by_role("link", name="Submit", exact=True).click()
    page.get_by_label("Agent").select_option(agent)
    page.get_by_label("or the record itself").fill(text)
    page.get_by_role("main").get_by_role("button", name="Submit").click()
    page.wait_for_url("**/submissions/*")


def test_signing_in_and_out(open_page, live_board):
    page = open_page("/account", expected=401)
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("Token").fill("lrmp_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Expected a token that is known")
    page.goto("/sign-in?next=/account")
    page.get_by_label("Token").fill(live_board.member)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("ann")
    expect(page).to_have_url(re.compile("/account$"))
    cookie = page.context.cookies()[0]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")


def test_a_token_is_made_shown_once_and_ended(open_page, live_board):
    page = open_page("/account", token=live_board.member)
    page.get_by_label("Name, such as").fill("laptop")
    page.get_by_label("manage:").check()
    page.get_by_role("button", name="Make").click()
    secret = page.locator("#secret").text_content()
    other = open_page("/account", token=secret)
    expect(other.get_by_role("heading", level=1)).to_have_text("ann")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("link", name="Sign in").first).to_be_visible()
    assert other.goto("/account").status == 401
    page.goto("/account")
    row = page.get_by_role("row", name="laptop")
    expect(row).to_contain_text("revoked")
    assert secret not in page.content()


def test_a_record_is_submitted_and_its_replay_watched(open_page, live_board, digits_record):
    page = open_page("/", token=live_board.member)
    hand_in(page, record_of(digits_record, 101))
    # No reload by the test: the page follows the replay by itself.
    page.locator(".state.accepted").wait_for()
    steps = page.get_by_role("status").text_content()
    assert "Replayed: every number recomputed" in steps
    assert "Logged as item" in steps
    claimed = page.get_by_role("row", name="tiles").first
    expect(claimed).to_contain_text("agrees")
    settings = page.get_by_role("table", name="Settings, copies and cost").locator("tbody tr")
    expect(settings).not_to_have_count(0)
    expect(
        page.get_by_role("img", name=re.compile("Floor plan: .* tiles are held"))
    ).to_be_visible()
    line = page.locator("pre.command").text_content()
    assert line.startswith(f"curl -s {live_board.url}/submissions/")
    assert json.loads(page.context.request.get(line.split()[2]).text())["seed"] == 101
    page.get_by_role("link", name="LRMP-Digits-v0").click()
    expect(page.get_by_role("heading", name="Certified optimum")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Gain by accuracy drop"))).to_be_visible()
    expect(page.get_by_role("row", name="certified optimum")).to_have_count(1)


def test_a_refused_record_says_why(open_page, live_board, digits_record):
    page = open_page("/", token=live_board.member)
    claim = replace(digits_record.claim, tiles=digits_record.claim.tiles + 1)
    hand_in(page, record_of(digits_record, 102, claim=claim))
    page.locator(".state.refused").wait_for()
    expect(page.get_by_role("status")).to_contain_text("expected tiles")


def test_what_is_no_record_is_refused_at_once(open_page, live_board):
    page = open_page("/submit", token=live_board.member)
    page.get_by_label("or the record itself").fill("{}")
    page.get_by_role("main").get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("The record is refused")


@pytest.mark.parametrize("script", [True, False])
def test_tasks_are_filtered_and_the_address_is_a_permalink(open_page, script):
    page = open_page("/?all=true", java_script_enabled=script)
    rows = page.get_by_role("table", name="Tasks with the best design").locator("tbody tr")
    total = rows.count()
    page.get_by_label("Task, network or chip").fill("resnet18")
    page.get_by_label("Minimises").select_option("edp")
    if script:  # HTMX shows it without a click
        page.wait_for_url("**objective=edp*")
    else:
        page.get_by_role("button", name="Show").click()
    page.get_by_role("row", name="LRMP-ResNet18-EDP-v0").wait_for()
    expect(rows).not_to_have_count(total)
    assert 0 < rows.count() < total
    assert all("edp" in text for text in rows.all_text_contents())
    again = open_page(page.url)
    found = again.get_by_role("table", name="Tasks with the best design").locator("tbody tr")
    assert found.all_text_contents() == rows.all_text_contents()


def test_without_javascript_a_replay_is_followed_by_reloads(open_page, live_board, digits_record):
    page = open_page("/", token=live_board.member, java_script_enabled=False)
    hand_in(page, record_of(digits_record, 103))
    page.locator(".state.accepted").wait_for(timeout=40_000)


def test_agents_are_compared(open_page, live_board, digits_record):
    with live_board.connection() as connection:
        for version, seed in ((1, 104), (2, 105)):
            document = json.loads(record_of(digits_record, seed))
            agent = f"ants/walker@{version}"
            connection.post("/submissions", {"agent": agent, "record": document})
            run = connection.post("/runs", {"round": "search-1", "agent": agent}, key="compared")
            connection.post(f"/runs/{run['id']}/finish")
    page = open_page("/agents")
    for version in (1, 2):
        page.get_by_label(f"Compare ants/walker@{version}").check()
    page.get_by_role("button", name="Compare two to four").click()
    chances = page.get_by_role("table", name="Probability of improvement by pair")
    expect(chances.locator("tbody td", has_text="50 %")).to_have_count(2)
    expect(page.get_by_role("table", name="Gap of the best design")).to_be_visible()
    too_many = "&".join(f"agent=a/b@{n}" for n in range(5))
    assert page.goto(f"/compare?{too_many}").status == 422


def test_an_item_is_disputed_answered_and_withdrawn(open_page, live_board, digits_record):
    with live_board.connection() as connection:
        document = json.loads(record_of(digits_record, 106))
        found = connection.post("/submissions", {"agent": "ants/walker@2", "record": document})
    page = open_page(f"/submissions/{found['id']}", token=live_board.member)
    page.locator(".state.accepted").wait_for()
    page.goto(page.url)
    page.get_by_role("link", name="Something is wrong with it?").click()
    page.wait_for_url("**/log/*")
    number = page.url.split("/")[-1].partition("#")[0]
    page.get_by_label("What is wrong with it").fill("It is mine.\nSee <b>there</b>.")
    page.get_by_role("button", name="Dispute").click()
    card = page.locator("article", has_text=f"Item {number}")
    expect(card).to_contain_text("See <b>there</b>.")
    expect(card.get_by_role("button", name="Dismiss")).to_have_count(0)

    admin = open_page("/disputes?state=open", token=live_board.admin)
    card = admin.locator("article", has_text=f"Item {number}")
    card.get_by_label("Answer").fill("It is.")
    card.get_by_role("button", name="Uphold").click()
    expect(admin.locator("article", has_text=f"Item {number}")).to_contain_text("upheld")
    admin.goto(f"/log/{number}")
    expect(admin.get_by_role("main")).to_contain_text("Withdrawn by item")


def test_another_sites_form_is_refused(open_page, live_board):
    page = open_page("/log/1", token=live_board.member)
    page.locator("form[action='/disputes'] input[name=form]").evaluate("each => each.value = 'x'")
    page.get_by_label("What is wrong with it").fill("forged")
    page.get_by_role("button", name="Dispute").click()
    expect(page.get_by_role("alert")).to_contain_text("Expected a form of this session")


def test_an_invitation_makes_a_user(open_page, live_board):
    page = open_page("/account", token=live_board.admin)
    page.get_by_role("button", name="Invite somebody").click()
    code = page.locator("#secret").text_content()
    other = open_page("/join")
    other.get_by_label("Code of the invitation").fill(code)
    other.get_by_label("Your name").fill("bob")
    other.get_by_label("Team to found").fill("bees")
    other.get_by_role("button", name="Join").click()
    expect(other.locator("#secret")).to_have_text(re.compile("^lrmp_"))
    other.get_by_role("link", name="Go on").click()
    other.get_by_label("Register").fill("bees/dancer@1")
    other.get_by_role("button", name="Register").click()
    expect(other.get_by_role("link", name="bees/dancer@1")).to_be_visible()
