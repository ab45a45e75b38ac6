"""OpenID Connect (Core 1.0, code flow with PKCE), by Authlib: where to sign in, and who came back.

The provider is the one that the operator names. All that comes through the browser is believed only as far as
the provider's own signature goes: issuer, audience, expiry, nonce. Nothing of a token is ever logged.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tileserver.errors import BusyError, ForbiddenError

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Of signatures by keys of two halves alone: with `none` or HS256 anybody could sign."""
SECONDS: Final = 10.0
KEPT_SECONDS: Final = 3600.0
"""How long what the provider says of itself is kept."""
AGAIN_SECONDS: Final = 60.0
"""Keys that are not known are asked for again no more often than that."""
LEEWAY: Final = 60
MOST_BYTES: Final = 1 << 20
MOST_SUBJECT: Final = 255
SCOPE: Final = "openid email profile"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who has signed in at a provider.

    Attributes:
        issuer: The provider.
        subject: By which it knows them, for ever.
        email: Their address, if the provider has verified it; None otherwise.
        locale: Their language, as it says.
    """

    issuer: str
    subject: str
    email: str | None
    locale: str


class Provider:
    """A provider of identities.

    Args:
        issuer: Its address.
        client_id: By which it knows this server.
        client_secret: Likewise; None of a public client.
        name: As people are told.
    """

    def __init__(self, issuer: str, client_id: str, client_secret: str | None, name: str) -> None:
        self.issuer, self.name = issuer, name
        self._client_id, self._secret = client_id, client_secret
        self._guard = threading.Lock()
        self._known: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def start(self, redirect: str, state: str, nonce: str, verifier: str) -> str:
        """Address at which somebody signs in.

        Args:
            redirect: Where the provider sends them back to.
            state: That comes back with them.
            nonce: That is in the token.
            verifier: Of PKCE (RFC 7636); its digest is sent.

        Raises:
            BusyError: If the provider cannot be asked.
        """
        with self._session(redirect) as session:
            endpoint = str(self._metadata()["authorization_endpoint"])
            address, _ = session.create_authorization_url(
                endpoint, state=state, nonce=nonce, code_verifier=verifier
            )
        return str(address)

    def finish(self, redirect: str, code: str, verifier: str, nonce: str, issuer: str | None) -> Identity:
        """Who has come back with a code.

        Args:
            redirect: As it was sent.
            code: That they bring.
            verifier: Of PKCE.
            nonce: That has to be in the token.
            issuer: Who sends them, as the request says (RFC 9207).

        Raises:
            ForbiddenError: If the provider does not know the code, or its token is not for us.
            BusyError: If the provider cannot be asked.
        """
        wanted = self._metadata().get("authorization_response_iss_parameter_supported") is True
        if (issuer is not None or wanted) and issuer != self.issuer:
            raise self._refusal("the answer is another provider's")
        try:
            with self._session(redirect) as session:
                endpoint = str(self._metadata()["token_endpoint"])
                token = session.fetch_token(
                    endpoint, grant_type="authorization_code", code=code, code_verifier=verifier,
                    allow_redirects=False, timeout=SECONDS,
                )  # fmt: skip
            return self._identity(self._claims(token, nonce))
        except requests.RequestException as error:
            raise self._away(error) from None
        except (AuthlibBaseError, JoseError, ValueError, TypeError, KeyError) as error:
            raise self._refusal(type(error).__name__) from None  # its words may hold parts of the token

    def _claims(self, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """What a token says, once all of it is verified.

        Raises:
            JoseError: If signature, issuer, audience, time or nonce are wrong.
            KeyError: If there is no token.
        """
        text = token["id_token"]
        try:
            read = jwt.decode(text, self._keys(KEPT_SECONDS), algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):  # the provider may have changed its keys
            read = jwt.decode(text, self._keys(AGAIN_SECONDS), algorithms=list(ALGORITHMS))
        options = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self._client_id},
        }
        params = {"nonce": nonce, "client_id": self._client_id, "access_token": token.get("access_token")}
        claims = CodeIDToken(read.claims, read.header, options, params)
        claims.validate(leeway=LEEWAY)
        return dict(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        subject, email = claims["sub"], claims.get("email")
        if not isinstance(subject, str) or not 0 < len(subject) <= MOST_SUBJECT:
            raise self._refusal("the subject is no short text")
        is_verified = claims.get("email_verified") is True and isinstance(email, str)
        locale = str(claims.get("locale") or "en")[:20]
        return Identity(self.issuer, subject, str(email) if is_verified else None, locale)

    def _metadata(self) -> Mapping[str, Any]:
        found = self._fetched(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration", KEPT_SECONDS)
        if found.get("issuer") != self.issuer:
            log.error("the OpenID Connect provider says it is another issuer; mend COMEO_OIDC_ISSUER")
            raise self._refusal("it says it is another issuer")
        return found

    def _keys(self, seconds: float) -> KeySet:
        found = self._fetched(str(self._metadata()["jwks_uri"]), seconds)
        keys = [
            each for each in found["keys"] if each.get("kty") in ("RSA", "EC") and each.get("use") != "enc"
        ]
        return KeySet.import_key_set({"keys": keys})

    def _fetched(self, address: str, seconds: float) -> Mapping[str, Any]:
        """A document of the provider's, no older than that.

        Raises:
            BusyError: If it cannot be fetched.
        """
        with self._guard:
            at, known = self._known.get(address, (0.0, {}))
            if known and time.monotonic() - at < seconds:
                return known
            try:
                document = _document(address)
            except (requests.RequestException, ValueError) as error:
                raise self._away(error) from None
            self._known[address] = time.monotonic(), document
            return document

    def _session(self, redirect: str) -> OAuth2Session:
        methods = self._metadata().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        by_form = self._secret is not None and "client_secret_basic" not in methods
        return OAuth2Session(
            self._client_id, self._secret, "client_secret_post" if by_form else None, scope=SCOPE,
            redirect_uri=redirect, code_challenge_method="S256",
        )  # fmt: skip

    def _refusal(self, reason: str) -> ForbiddenError:
        log.warning("signing in by OpenID Connect was refused: %s", reason)
        return ForbiddenError(f"signing in with {self.name} did not work; start again, or sign in by mail")

    def _away(self, error: Exception) -> BusyError:
        log.warning("the OpenID Connect provider cannot be asked: %s", type(error).__name__)
        return BusyError(f"{self.name} does not answer; try again later, or sign in by mail")


def _document(address: str) -> Mapping[str, Any]:
    """A JSON object, of a size that is bounded.

    Raises:
        RequestException: If it cannot be fetched.
        ValueError: If it is none.
    """
    with requests.get(address, timeout=SECONDS, allow_redirects=False, stream=True) as answer:
        answer.raise_for_status()
        body = answer.raw.read(MOST_BYTES + 1, decode_content=True)
        if len(body) > MOST_BYTES or answer.status_code != requests.codes.ok:
            raise ValueError("the document is too large, or elsewhere")
        found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("the document is no object")
    return found
