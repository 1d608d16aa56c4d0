"""All pages, in the order in which their paths are tried."""

from fastapi import APIRouter

from lrmp.leaderboard.board.pages import (
    account_pages,
    agent_pages,
    board_page,
    log_pages,
    not_found,
    round_pages,
    static_files,
    submission_pages,
    task_page,
)

PARTS = (
    static_files,
    board_page,
    task_page,
    submission_pages,
    agent_pages,
    round_pages,
    log_pages,
    account_pages,
    not_found,
)


def page_routes() -> list[APIRouter]:
    """List the routers of all pages.

    Returns:
        For ``create_app``.
    """
    return [part.router for part in PARTS]
