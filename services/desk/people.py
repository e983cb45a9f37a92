"""People: who asks, how that is known, and that a form was sent from a page of the desk's own.

A session is a signed cookie: a nonce, and the name of who has signed in. Forms carry a token that follows from it.
"""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from schemas.fields import SECOND
from services.desk.config import DeskConfig, networks
from services.desk.passwords import fits, hash_password
from services.desk.steps import StepError, checked_name

COOKIE = "milepost_desk"


class Session(NamedTuple):
    """Who is at the other end of a browser, and what tells this browser from any other."""

    nonce: str
    name: str = ""
    proof: str = ""
    """Follows from the password by which somebody signed in: with another password the session ends."""


class People:
    """How the desk knows who asks: from a proxy, by its own list of users, or by what they say themselves."""

    def __init__(self, config: DeskConfig, secret: str, *, secure: bool) -> None:
        """Take the configuration, what signs sessions, and whether browsers reach the desk by TLS."""
        self.header = config.proxy.user if config.proxy is not None else None
        self.users: Mapping[str, str] = config.users
        self.secure = secure
        self.seconds = config.limits.session // SECOND
        self._proxies = networks(config.proxy.addresses) if config.proxy is not None else []
        self._forwarded = config.proxy.client if config.proxy is not None else ""
        self._key = secret.encode()
        self._signer = URLSafeTimedSerializer(secret, salt="milepost desk session")
        # A name that there is not takes as long to refuse as a wrong password.
        self._nobody = hash_password(secrets.token_hex()) if self.users else ""

    def address(self, request: Request) -> str:
        """Give the address of the client: what the proxies say that are trusted, else where it came from."""
        peer = request.client.host if request.client else ""
        if not self._trusts(peer):
            return peer
        for word in reversed(request.headers.getlist(self._forwarded)):
            for address in reversed([part.strip() for part in word.split(",")]):
                if not self._trusts(address):
                    return address
        return peer

    def session(self, request: Request) -> Session:
        """Give the session of a request; a new one, of nobody, where there is none that holds."""
        session = self._cookie(request)
        if self.header is None:
            return session
        peer = request.client.host if request.client else ""
        said = request.headers.get(self.header, "") if self._trusts(peer) else ""
        try:
            return session._replace(name=checked_name(said))
        except StepError:
            return session._replace(name="")

    def sign_in(self, name: str, password: str) -> Session | None:
        """Give a session for who may sign in so; None where nobody may. Takes its time: not for the event loop."""
        if not self.users:
            return Session(secrets.token_hex(16), checked_name(name))
        known = self.users.get(name)
        right = fits(password, known or self._nobody)
        return Session(secrets.token_hex(16), name, self._proof(name)) if known is not None and right else None

    def keep(self, response: Response, session: Session) -> None:
        """Let the browser keep a session. The proxy's word is asked for anew each time, and not kept."""
        kept = session if self.header is None else session._replace(name="")
        response.set_cookie(
            COOKIE, self._signer.dumps(list(kept)), max_age=self.seconds, path="/", secure=self.secure, httponly=True,
            samesite="lax",
        )  # fmt: skip

    def form_token(self, session: Session) -> str:
        """Give what a form of this session's pages carries."""
        said = f"form\x1f{session.nonce}\x1f{session.name}".encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()

    def sent_here(self, request: Request, session: Session, token: str) -> bool:
        """Tell whether a form comes from a page of this session."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        expected = self.form_token(session).encode()
        return hmac.compare_digest(expected, token.encode("utf-8", "surrogateescape")) and site == "same-origin"

    def _cookie(self, request: Request) -> Session:
        try:
            kept: Any = self._signer.loads(request.cookies.get(COOKIE, ""), max_age=self.seconds)
            session = Session(*kept)
        except (BadData, TypeError):
            return Session(secrets.token_hex(16))
        if self.users and session.name and not hmac.compare_digest(session.proof, self._proof(session.name)):
            return session._replace(name="", proof="")
        return session

    def _proof(self, name: str) -> str:
        said = f"user\x1f{name}\x1f{self.users.get(name, '')}".encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()[:32]

    def _trusts(self, address: str) -> bool:
        return _among(address, self._proxies)


def _among(address: str, listed: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in listed if network.version == found.version)
