"""Pages in Debian's Chromium, or whatever browser is named by LRMP_CHROMIUM."""

import os
import shutil

import pytest

WIDTH, HEIGHT = 1280, 900
PATIENCE = 20_000  # milliseconds, for a busy machine
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("LRMP_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        # Nothing but this machine is looked at; as root its sandbox does not work.
        launched = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        playwright.expect.set_options(timeout=PATIENCE)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser, live_board):
    """Open a page in a context of its own; whatever goes wrong in it fails the test."""
    contexts, wrong = [], []

    def opened(path="/", *, token=None, expected=200, **settings):
        settings = {"viewport": {"width": WIDTH, "height": HEIGHT}} | settings
        context = browser.new_context(base_url=live_board.url, **settings)
        contexts.append(context)
        if token:
            context.add_cookies([{"name": "lrmp_session", "value": token, "url": live_board.url}])
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
        page.on(
            "console",
            lambda message: "Content Security" in message.text and wrong.append(message.text),
        )
        assert page.goto(path).status == expected
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []
