"""Commands of a board, against one that is served."""

import io
import json
import os
import socket
import subprocess
import sys
import time

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("uvicorn")

from lrmp.cli import main
from lrmp.leaderboard.client.connection import Connection
from lrmp.leaderboard.client.credentials import credentials_path, load_token

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def address(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "lrmp", "board", "serve", "--port", str(port)]
    words += ["--folder", str(folder), "--workers", "0"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(words, stderr=log, env=dict(os.environ))
        found = f"http://127.0.0.1:{port}"
        with Connection(found) as connection:
            for _ in range(20):
                try:
                    connection.get("/rounds")
                    break
                except Exception:
                    assert server.poll() is None, (folder / "server.log").read_text()
                    time.sleep(0.5)
        yield found
        server.terminate()
        assert server.wait(timeout=60) == 0


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command; what it reads comes from standard input."""

    def command(*words, text=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        code = main(words)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_an_administrator_a_member_and_a_round(run, address, folder):
    code, secret, _ = run("board", "admin", "root", "--folder", str(folder))
    assert code == 0
    assert run("login", address, text=secret) == (0, "signed in as root; teams: none\n", "")
    assert credentials_path().stat().st_mode & 0o077 == 0
    code, invitation, _ = run("board", "invite", "--board", address)
    assert code == 0
    words = ("login", address, "--invitation", "--user", "ann", "--team", "ants")
    assert run(*words, text=invitation)[1] == "signed in as ann; teams: ants\n"

    code, out, err = run(
        "board", "round", "open", "r1", "--track", "search", "--days", "1", "--board", address
    )
    assert (code, out) == (2, "")
    assert "Expected a token with the scope 'admin'" in err
    run("login", address, text=secret)
    code, out, _ = run(
        "board", "round", "open", "r1", "--track", "search", "--days", "1", "--board", address
    )
    assert out.startswith("r1: hash of the secret ")
    code, out, _ = run("board", "round", "close", "r1", "--board", address)
    assert (code, out.startswith("r1: secret ")) == (0, True)


def test_tokens(run, address, folder):
    secret = run("board", "admin", "root", "--folder", str(folder))[1]
    run("login", address, text=secret)
    made = run("board", "token", "create", "cluster", "--board", address)[1].strip()
    with Connection(address, made) as connection:
        assert connection.get("/account")["user"] == "root"
    listed = json.loads(run("board", "token", "list", "--json", "--board", address)[1])
    (found,) = [token for token in listed if token["name"] == "cluster"]
    assert found["scopes"] == ["submit"]
    assert "cluster" in run("board", "token", "list", "--board", address)[1]
    assert (
        run("board", "token", "revoke", found["id"], "--board", address)[1] == "cluster: revoked\n"
    )
    code, _, err = run("login", address, text=made)
    assert (code, "not revoked" in err) == (2, True)
    assert run("login", address, "--out")[0] == 0
    assert load_token(address) is None
    code, _, err = run("board", "token", "list", "--board", address)
    assert (code, "Run `lrmp login" in err) == (2, True)


def test_verify_says_what_differs(run, address, folder, tmp_path):
    code, out, _ = run("board", "verify", address)
    assert (code, "0 differences" in out) == (0, True)
    mirror = folder / "log.jsonl"
    code, out, _ = run("board", "verify", str(mirror), "--json")
    assert (code, json.loads(out)["wrong"]) == (0, [])
    changed = tmp_path / "log.jsonl"
    first, *others = mirror.read_text().splitlines(keepends=True)
    changed.write_text(first + "".join(others).replace('"at": "2', '"at": "1'))
    if others:
        code, out, _ = run("board", "verify", str(changed))
        assert (code, "does not match its hash" in out) == (1, True)
    code, out, _ = run("board", "verify", str(mirror), "--key", "00" * 32)
    assert (code, "signed by the key" in out) == (1, True)
    kept = tmp_path / "kept.jsonl"
    kept.write_text(mirror.read_text() + first)
    code, out, _ = run("board", "verify", str(mirror), "--earlier", str(kept))
    assert (code, "it was there earlier and is gone" in out) == (1, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("board", "verify", "nothing.jsonl"), "Expected the mirror of a log"),
        (("login", "ftp://x"), "Expected the address of a board"),
        (("login", "http://board.example.org"), "Expected https"),
        (("board", "serve", "--database", "mysql://x/y"), "one of mysql"),
        (("board", "rotate-key", "--folder", "/dev/null/x"), "/dev/null/x"),
    ],
)
def test_bad_input_is_one_line(run, words, message):
    code, _, err = run(*words, text="lrmp_x")
    assert code == 2
    assert message in err
    assert err.count("\n") == 1, err
