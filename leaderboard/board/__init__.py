"""The hosted leaderboard. Needs the extra ``board``; nothing else of lrmp imports it.

Layout, from the inside out:

- ``tracks``, ``instances``, ``ranking``, ``names``: pure functions, without a database;
- ``database``: the board's own tables (SQLAlchemy), migrations (Alembic);
- ``log``: signatures and the mirror;
- ``core.Board``: database, signing key and mirror of one board; services take it first;
- ``service``: what the board does. Each function opens its own transaction, raises a ``BoardError``
  whose ``status`` is HTTP's, and returns frozen data classes;
- ``worker``: leases jobs, does them in a process with limits;
- ``api``: FastAPI routes under ``/api/v1`` that call services; ``api.app.create_app(board, pages)``
  takes routers of pages;
- ``server``: uvicorn and workers; ``demo``: a board with contents.

What pages call (``from lrmp.leaderboard.board.service import ...``):

- ``rankings.designs(board, task_id, as_of=, limit=, offset=)``, ``rankings.agents_of_round(board,
  round, evaluations=, as_of=)``, ``overview.tasks(board)``;
- ``submissions.submit / find / list_submissions``; ``checks.find``; ``jobs.find``;
- ``rounds.list_rounds / find``; ``runs.list_runs / find / curve``;
- ``agents.find / list_agents / register``; ``accounts.account``; ``tokens.authenticate / create /
  list_tokens / revoke``;
- ``moderation.list_disputes / dispute / answer / withdraw``;
- ``history.newest / item / items / head`` (items of the log: ``item.content`` is the parsed body).

Who asks is a ``service.principal.Principal``; a browser's session is a token in a cookie, which
``tokens.authenticate`` recognises.

What a board shares with the file of one machine, `lrmp.leaderboard.Store`, lies beside this
package: ``lrmp.leaderboard.log`` (tables, items, standings, the query that ranks designs), the
record's schema and replay.
"""
