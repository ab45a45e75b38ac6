"""A provider of OpenID Connect on a port of its own: Authlib's server, with what it may do wrong."""

from __future__ import annotations

import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, redirect
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "comeo", "a secret of the client"


@dataclass
class Code:
    """A code that was given, and what it was given for."""

    code: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce


@dataclass
class User:
    """Who is signed in at the provider."""

    id: str = "subject-1"


class Client(ClientMixin):  # type: ignore[misc]
    """The one client."""

    def __init__(self, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class FakeProvider:
    """The provider.

    Attributes:
        redirect_uri: Of the client.
        claims: Of the next token, instead of what is right; None leaves one out.
        metadata: Of the document of discovery, likewise.
        algorithm: Of the signature.
        forger: Somebody else's key, which signs instead.
        adds: To the address that people go back to.
    """

    redirect_uri: str
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    forger: Any = None
    adds: str = ""

    def __post_init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.codes: dict[str, Code] = {}
        self.asked: list[str] = []
        self.tokens: list[str] = []
        app = Flask("provider")
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.issuer = f"http://127.0.0.1:{self._server.port}"
        self._routes(app)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def change_keys(self) -> None:
        """As providers do now and then."""
        self.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig", "alg": "RS256"})

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "subject-1", "iat": now, "exp": now + 300,
            "nonce": nonce, "email": "me@example.org", "email_verified": True, **self.claims,
        }  # fmt: skip
        own = {name: value for name, value in claims.items() if value is not None}
        key = self.forger or self.key
        header = {"alg": self.algorithm, "kid": self.key.kid}
        made = (
            jwt.encode(header, own, key, [self.algorithm])
            if self.algorithm == "RS256"
            else _signed_by_no_key(header, own, self.key.as_pem(private=False))
        )
        self.tokens.append(made)
        return made

    def _routes(self, app: Flask) -> None:
        provider = self

        class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
            TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

            def save_authorization_code(self, code: str, request: Any) -> None:
                data = request.payload.data
                provider.codes[code] = Code(
                    code, request.payload.redirect_uri, request.scope, data["nonce"], data["code_challenge"],
                    data["code_challenge_method"],
                )  # fmt: skip

            def query_authorization_code(self, code: str, client: Any) -> Code | None:
                return provider.codes.get(code)

            def delete_authorization_code(self, authorization_code: Code) -> None:
                del provider.codes[authorization_code.code]

            def authenticate_user(self, authorization_code: Code) -> User:
                return User()

        class OpenID(OpenIDCode):  # type: ignore[misc]
            def exists_nonce(self, nonce: str, request: Any) -> bool:
                return False

            def encode_id_token(self, token: Any, request: Any) -> str:
                return provider.id_token(request.authorization_code.nonce)

        client = Client(self.redirect_uri)
        server = AuthorizationServer(
            app, lambda number: client if number == CLIENT else None, lambda token, request: None
        )
        server.register_grant(Grant, [OpenID(require_nonce=True), CodeChallenge(required=True)])
        app.add_url_rule("/.well-known/openid-configuration", "metadata", self._metadata)
        app.add_url_rule("/keys", "keys", self._keys)
        app.add_url_rule("/authorize", "authorize", lambda: self._authorize(server))
        app.add_url_rule("/token", "token", server.create_token_response, methods=["POST"])

    def _metadata(self) -> Response:
        self.asked.append("metadata")
        return jsonify(
            {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
             "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys", **self.metadata}
        )  # fmt: skip

    def _keys(self) -> Response:
        self.asked.append("keys")
        return jsonify({"keys": [self.key.as_dict(private=False)]})

    def _authorize(self, server: Any) -> Any:
        grant = server.get_consent_grant(end_user=User())
        answer = server.create_authorization_response(grant=grant, grant_user=User())
        return redirect(answer.headers["Location"] + self.adds)


def _signed_by_no_key(header: dict[str, Any], claims: dict[str, Any], public: bytes) -> str:
    """A token without a signature, or with one whose secret is the public key, which anybody has."""
    parts = [urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in (header, claims)]
    text = b".".join(parts)
    signature = b"" if header["alg"] == "none" else hmac.digest(public, text, "sha256")
    return b".".join([text, urlsafe_b64encode(signature).rstrip(b"=")]).decode()
