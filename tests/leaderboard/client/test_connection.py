"""Answers that a server's death cut are asked for again."""

import socket
import threading

import pytest

from lrmp.errors import BoardError
from lrmp.leaderboard.client import connection as client_connection
from lrmp.leaderboard.client.connection import Connection

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def answering(monkeypatch):
    """A server that sends these bytes, one per connection, and hangs up."""
    monkeypatch.setattr(client_connection, "LONGEST_PAUSE_S", 0.01)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()

    def serve(answers):
        def run():
            for answer in answers:
                accepted, _ = listening.accept()
                accepted.recv(65536)
                accepted.sendall(answer)
                accepted.close()

        threading.Thread(target=run, daemon=True).start()
        return Connection(f"http://127.0.0.1:{listening.getsockname()[1]}")

    yield serve
    listening.close()


BODY = b'{"number": 7}'
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        HEAD[:20],
        HEAD + LENGTH,
        HEAD + LENGTH + BODY[:5],
        HEAD + LENGTH + BODY[:-1],
        HEAD + CHUNKED + b"d\r\n" + BODY[:5],
    ],
)
def test_a_cut_answer_is_asked_for_again(answering, cut):
    with answering([cut, HEAD + LENGTH + BODY]) as connection:
        assert connection.get("/log/head") == {"number": 7}


def test_a_server_that_is_always_cut_is_told_of(answering):
    cut = HEAD + LENGTH + BODY[:5]
    with (
        answering([cut] * client_connection.ATTEMPTS) as connection,
        pytest.raises(BoardError, match=r"IncompleteRead\(5 bytes read, 8 more expected\)"),
    ):
        connection.get("/log/head")
