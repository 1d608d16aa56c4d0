"""Users, teams, tokens; sign-in by a provider that the test runs."""

import base64
import hashlib
import re
import threading
import time
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from fastapi import FastAPI, Form, Request
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.responses import RedirectResponse
from starlette.testclient import TestClient

from lrmp.leaderboard.board.api.app import create_app
from lrmp.leaderboard.board.api.session import COOKIE
from lrmp.leaderboard.board.api.sign_in import local_path
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Token
from lrmp.leaderboard.board.service import accounts
from lrmp.leaderboard.board.settings import BoardSettings


def test_an_invitation_is_good_once(client, admin_client):
    code = admin_client.post("/invitations", {}).json()["secret"]
    document = {"code": code, "user": "ann", "team": "ants"}
    assert client.post("/invitations/accept", document | {"team": None}).status_code == 422
    secret = client.post("/invitations/accept", document).json()["secret"]
    account = client.of(secret).get("/account").json()
    assert account == {"user": "ann", "is_admin": False, "teams": ["ants"]}
    again = client.post("/invitations/accept", document | {"user": "bob", "team": "bees"})
    assert again.status_code == 404
    # Into the team, by a member of it; who is no administrator invites nobody else.
    member = client.of(secret)
    assert member.post("/invitations", {}).status_code == 403
    code = member.post("/invitations", {"team": "ants"}).json()["secret"]
    joined = client.post("/invitations/accept", {"code": code, "user": "bob"}).json()["secret"]
    assert client.of(joined).get("/account").json()["teams"] == ["ants"]


def test_names_that_look_alike_are_one(client, admin_client, member):
    code = admin_client.post("/invitations", {}).json()["secret"]
    for name in ("Ants", "ANTS", "ants_", "ants."):
        answer = client.post("/invitations/accept", {"code": code, "user": "x1", "team": name})
        assert answer.status_code == 409
        assert "one like ants" in answer.json()["detail"]


def test_agents_names(member):
    for name, status in {
        "ants/walker@1": 201,  # the same again
        "ants/Walker@1": 409,
        "ants/wa1ker@1": 409,
        "ants/vvalker@1": 409,
        "ants/walker@3": 201,
        "ants/walker": 422,
        "ants/walker@": 422,
        "ants/<script>@1": 422,
        "ants/___@1": 422,
        "bees/walker@1": 404,
        "ants/walker@1|0": 422,
    }.items():
        assert member.post("/agents", {"agent": name}).status_code == status, name


def test_an_agents_code_has_a_public_address(member):
    for code in (
        "http://x.org/",
        "https://localhost/",
        'https://x.org/"><script>',
        "https://a@b.org/",
        "x",
    ):
        answer = member.post("/agents", {"agent": "ants/new@1", "code": code})
        assert answer.status_code == 422, code
    assert member.post("/agents", {"agent": "ants/new@1", "code": "https://x.org/a"}).is_success


def test_tokens_are_scoped_expiring_and_revocable(client, member, board):
    document = {"name": "cluster", "scopes": ["submit"], "days": 1}
    made = member.post("/tokens", document).json()
    limited = client.of(made["secret"])
    assert limited.get("/account").status_code == 200
    assert limited.post("/tokens", document).status_code == 403
    assert limited.post("/agents", {"agent": "ants/new@1"}).status_code == 403
    assert member.post("/tokens", document | {"scopes": ["admin"]}).status_code == 403
    assert member.post("/tokens", document | {"scopes": ["root"]}).status_code == 422
    listed = {token["id"]: token for token in member.get("/tokens").json()}
    assert listed[made["token"]["id"]]["scopes"] == ["submit"]
    assert "secret" not in listed[made["token"]["id"]]
    assert member.delete(f"/tokens/{made['token']['id']}").status_code == 200
    assert limited.get("/account").status_code == 401
    with board.database.write() as session:
        session.execute(sa.update(Token).values(expires_at="2020-01-01T00:00:00.000000Z"))
    assert member.get("/account").status_code == 401


def test_tokens_have_256_bits_and_only_their_hash_is_stored(member, board):
    random = member.secret.removeprefix("lrmp_")
    assert len(random) * 6 >= 256
    with board.database.read() as session:
        rows = list(session.scalars(sa.select(Token)))
    assert hashlib.sha256(member.secret.encode()).hexdigest() in {row.hash for row in rows}
    assert not any(member.secret in map(str, vars(row).values()) for row in rows)


def test_others_tokens_cannot_be_revoked(client, admin_client, member):
    code = admin_client.post("/invitations", {}).json()["secret"]
    document = {"code": code, "user": "bob", "team": "bees"}
    bob = client.of(client.post("/invitations/accept", document).json()["secret"])
    (token,) = bob.get("/tokens").json()
    assert member.delete(f"/tokens/{token['id']}").status_code == 404
    assert admin_client.delete(f"/tokens/{token['id']}").status_code == 200
    assert bob.get("/account").status_code == 401


def test_a_user_who_is_disabled_signs_in_no_more(client, admin_client, member):
    administrator = "root"
    assert member.post(f"/users/{administrator}/disable").status_code == 403
    assert admin_client.post("/users/nobody/disable").status_code == 404
    assert admin_client.post("/users/ann/disable").status_code == 204
    assert member.get("/account").status_code == 401


def test_null_characters_in_addresses_are_no_fault(client):
    for path, query in (
        ("/agents/%00", {}),
        ("/submissions/%00", {}),
        ("/rankings/rounds/%00", {}),
        ("/submissions", {"agent": "\0"}),
        ("/agents", {"team": "\0", "after": "\0"}),
        ("/runs", {"round": "\0"}),
    ):
        assert client.get(path, **query).status_code in (200, 404, 422), path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/tasks", "/tasks"),
        ("//evil.org", "/"),
        ("https://evil.org", "/"),
        ("/\\evil.org", "/"),
        ("/a\nb", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_led_to_another_site(path, expected):
    assert local_path(path) == expected


class Provider:
    """A small OpenID provider: one user, who always agrees."""

    def __init__(self):
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.signs_with = self.key
        self.subject, self.preferred = "ann-1", "Ann Ä"
        self.changes = {}
        self.issuer = None
        self.codes = {}
        self.app = FastAPI()
        self.app.get("/.well-known/openid-configuration")(self.metadata)
        self.app.get("/authorize")(self.authorize)
        self.app.post("/token")(self.token)
        self.app.get("/keys")(lambda: {"keys": [self.key.as_dict(private=False)]})

    def metadata(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def authorize(self, request: Request):
        asked = dict(request.query_params)
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}")

    def token(self, code: str = Form(), code_verifier: str = Form()):
        asked = self.codes.pop(code)
        digest = hashlib.sha256(code_verifier.encode()).digest()
        assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": asked["client_id"],
            "exp": now + 600,
            "iat": now,
            "nonce": asked["nonce"],
            "preferred_username": self.preferred,
        } | self.changes
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.signs_with)
        return {"access_token": "a", "token_type": "Bearer", "id_token": token}


@contextmanager
def served(app, port):
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def provider(free_port):
    made = Provider()
    made.issuer = f"http://127.0.0.1:{free_port}"
    with served(made.app, free_port):
        yield made


@pytest.fixture
def browser(provider, tmp_path):
    settings = BoardSettings(
        folder=tmp_path,
        openid_issuer=provider.issuer,
        openid_client_id="board",
        openid_client_secret="secret",
        requests_per_minute=0,
    )
    board = Board(settings)
    yield TestClient(create_app(board), base_url="http://board.test")
    board.close()


def sign_in(browser, provider):
    """Go to the provider and back, as a browser does."""
    answer = browser.get("/auth/login", params={"next": "/tasks"}, follow_redirects=False)
    asked = urlsplit(answer.headers["location"])
    assert f"{asked.scheme}://{asked.netloc}" == provider.issuer
    query = {name: values[0] for name, values in parse_qs(asked.query).items()}
    with TestClient(provider.app) as there:
        back = there.get("/authorize", params=query, follow_redirects=False)
    return browser.get(back.headers["location"], follow_redirects=False)


def test_a_user_of_a_provider_signs_in(browser, provider):
    answer = sign_in(browser, provider)
    assert (answer.status_code, answer.headers["location"]) == (303, "/tasks")
    cookie = answer.headers["set-cookie"]
    assert re.search("httponly", cookie, re.IGNORECASE)
    assert re.search("samesite=lax", cookie, re.IGNORECASE)
    secret = browser.cookies[COOKIE]
    headers = {"Authorization": f"Bearer {secret}"}
    assert browser.get("/api/v1/account", headers=headers).json()["user"] == "Ann"
    # Another one of the same name is another user; the same one stays the same.
    provider.subject = "ann-2"
    browser.cookies.clear()
    sign_in(browser, provider)
    headers = {"Authorization": f"Bearer {browser.cookies[COOKIE]}"}
    assert browser.get("/api/v1/account", headers=headers).json()["user"] == "Ann-2"
    provider.subject, provider.preferred = "ann-1", "other"
    browser.cookies.clear()
    sign_in(browser, provider)
    headers = {"Authorization": f"Bearer {browser.cookies[COOKIE]}"}
    assert browser.get("/api/v1/account", headers=headers).json()["user"] == "Ann"
    assert browser.post("/auth/logout", follow_redirects=False).status_code == 303
    assert browser.get("/api/v1/account", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"iss": "http://another"},
        {"exp": 1},
    ],
)
def test_a_claim_that_is_not_for_this_sign_in_is_refused(browser, provider, changes):
    provider.changes = changes
    assert sign_in(browser, provider).status_code == 401
    assert COOKIE not in browser.cookies


def test_a_foreign_signature_is_refused(browser, provider):
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "one"})
    assert sign_in(browser, provider).status_code == 401


def test_a_callback_that_nobody_asked_for_is_refused(browser):
    answer = browser.get("/auth/callback", params={"code": "x", "state": "y"})
    assert answer.status_code == 401


def test_a_browser_signs_in_with_a_token(board, client):
    http, secret = client.http, accounts.add_admin(board, "root")
    wrong = http.post("/auth/token", data={"token": "lrmp_x"}, follow_redirects=False)
    assert wrong.status_code == 401
    right = http.post("/auth/token", data={"token": secret}, follow_redirects=False)
    assert (right.status_code, right.headers["location"]) == (303, "/")
    assert http.cookies[COOKIE] == secret
