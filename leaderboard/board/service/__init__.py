"""What the board does: functions that the API, the pages and the command line call.

Each takes the ``Board`` first and opens its own transaction. Whoever asks is a ``Principal``.
"""
