"""Pages for people: rendered by the server, readable without JavaScript.

Each module has the routes of one part of the board, and calls the services as the API does.
``rendering`` has what all pages share; ``charts`` are data for the SVG of ``templates``. HTMX, in
``static``, only saves reloads: every link and form works without it.
"""
