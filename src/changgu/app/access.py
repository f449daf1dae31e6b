"""Who may come in: by a session cookie from our own pages, or by a program's token.

A cookie travels by itself with every request a browser makes, also with those that a foreign page causes. So whatever
changes something by cookie, and every WebSocket opened by cookie, must come from our own origin (RFC 6454); a token
never travels by itself and needs no such check.

Trouble
├── SignInNeeded          401   pages send the reader to the sign-in page
├── RoleTooLow            403
├── ForeignOrigin         403   the request was not made by a page of ours
└── PasswordChangeNeeded  403   pages send the reader to the password page
"""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeGuard
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket

from changgu.app.accounts import SESSION_LIMIT, OpenedSession, Visitor
from changgu.ground.access import ROLE_KO, Actor, Role
from changgu.ground.trouble import Forbidden, Trouble

SESSION_COOKIE = "changgu_session"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CLOSE_SIGN_IN = 4401
CLOSE_FORBIDDEN = 4403
ADMITTED = "changgu.admitted"
"""In a WebSocket's scope: a list of the least roles of the doors it came through, empty for one open to everybody."""


class SignInNeeded(Trouble):
    """Nobody we know is asking."""

    status = 401

    def __init__(self) -> None:
        super().__init__("로그인이 필요합니다.", "Please sign in.")


class RoleTooLow(Forbidden):
    """The asker's role does not include what they ask for."""

    def __init__(self, role: Role) -> None:
        super().__init__(f"{ROLE_KO[role]} 역할이 필요합니다.", f"This needs the role {role.value}.")


class ForeignOrigin(Forbidden):
    """A page that is not ours made the browser ask."""

    def __init__(self) -> None:
        super().__init__("다른 사이트에서 온 요청은 받지 않습니다.", "Requests from other sites are refused.")


class PasswordChangeNeeded(Forbidden):
    """The password was given by somebody else and has to be changed first."""

    def __init__(self) -> None:
        super().__init__("비밀번호를 먼저 바꾸어야 합니다.", "The password has to be changed first.")


class Visitors(Protocol):
    """Where the gate looks people up; `app.accounts.Accounts` is the one implementation."""

    async def visitor_by_cookie(self, cookie: str) -> Visitor | None:
        """Who holds this session cookie."""

    async def visitor_by_token(self, token: str) -> Visitor | None:
        """Which program holds this token."""


class Guard:
    """A FastAPI dependency that yields the `Actor`; its role can be read by whoever walks the routes."""

    def __init__(self, gate: "AccessGate", role: Role, *, before_password_change: bool = False) -> None:
        self.gate = gate
        self.role = role
        self.before_password_change = before_password_change

    async def __call__(self, connection: HTTPConnection) -> Actor:
        """The actor, or one of the refusals above."""
        visitor = await self.gate.visitor(connection)
        if visitor is None:
            raise SignInNeeded
        if visitor.must_change and not self.before_password_change:
            raise PasswordChangeNeeded
        if not visitor.actor.may(self.role):
            raise RoleTooLow(self.role)
        return visitor.actor


class AccessGate:
    """Implements `ground.access.Gate`."""

    def __init__(self, visitors: Visitors, *, public_origin: str | None = None) -> None:
        self._visitors = visitors
        self.public_origin = public_origin.rstrip("/") if public_origin else None

    def require(self, role: Role) -> Callable[..., Awaitable[Actor]]:
        """A dependency that yields an actor of at least this role."""
        return Guard(self, role)

    def require_before_password_change(self, role: Role) -> Callable[..., Awaitable[Actor]]:
        """The same, also for somebody who still has to change their password."""
        return Guard(self, role, before_password_change=True)

    async def visitor(self, connection: HTTPConnection) -> Visitor | None:
        """Who is asking, or None; a bearer token counts more than a cookie."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._visitors.visitor_by_token(token.strip())
        cookie = connection.cookies.get(SESSION_COOKIE)
        return await self._visitors.visitor_by_cookie(cookie) if cookie else None

    async def admit(self, websocket: HTTPConnection, role: Role) -> Actor | None:
        """Let a WebSocket in or close it.

        A foreign or absent Origin is refused in the handshake (HTTP 403). Somebody not signed in, or of too low a
        role, gets the socket closed with 4401 or 4403, which a page can read and act upon.
        """
        if not isinstance(websocket, WebSocket):
            raise TypeError("only a WebSocket is admitted")
        if not self.allowed_origin(websocket):
            await websocket.close(CLOSE_FORBIDDEN)
            return None
        visitor = await self.visitor(websocket)
        if _welcome(visitor, role):
            websocket.scope.setdefault(ADMITTED, []).append(role)
            return visitor.actor
        await websocket.accept()
        await websocket.close(CLOSE_SIGN_IN if visitor is None else CLOSE_FORBIDDEN)
        return None

    async def still_admits(self, websocket: HTTPConnection, roles: Sequence[Role]) -> bool:
        """Whether whoever opened this WebSocket would still be let in: not signed out, shut out or moved down."""
        visitor = await self.visitor(websocket)
        return all(_welcome(visitor, role) for role in roles)

    def allowed_origin(self, connection: HTTPConnection) -> bool:
        """Whether this request can only have been made by a page of ours, or by a program with its own token.

        A program without cookie and without Origin (curl at the sign-in form) is no browser and passes here.
        """
        if connection.headers.get("authorization", "").lower().startswith("bearer "):
            return True
        origin = connection.headers.get("origin")
        if origin is None:
            by_cookie = SESSION_COOKIE in connection.cookies
            return not by_cookie and connection.scope["type"] == "http"
        return origin in self._own_origins(connection)

    async def checks_out(self, connection: HTTPConnection) -> bool:
        """`allowed_origin`, or, for the rare client that sends no Origin, the session's own token in a header."""
        if self.allowed_origin(connection):
            return True
        given = connection.headers.get(CSRF_HEADER)
        if given is None or "origin" in connection.headers:
            return False
        visitor = await self.visitor(connection)
        return visitor is not None and visitor.csrf is not None and hmac.compare_digest(given, visitor.csrf)

    def give_cookie(self, connection: HTTPConnection, response: Response, opened: OpenedSession) -> None:
        """Hand the session to the browser, out of reach of scripts and of other sites."""
        response.set_cookie(
            SESSION_COOKIE,
            opened.cookie,
            max_age=int(SESSION_LIMIT.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=self._is_https(connection),
            path="/",
        )

    def take_cookie(self, connection: HTTPConnection, response: Response) -> None:
        """Take the session back from the browser."""
        response.delete_cookie(
            SESSION_COOKIE, path="/", httponly=True, samesite="lax", secure=self._is_https(connection)
        )

    def _own_origins(self, connection: HTTPConnection) -> set[str]:
        host = connection.headers.get("host", "").lower()
        if self.public_origin and urlsplit(self.public_origin).netloc.lower() == host:
            return {self.public_origin}
        return {f"http://{host}", f"https://{host}"} | ({self.public_origin} if self.public_origin else set())

    def _is_https(self, connection: HTTPConnection) -> bool:
        if connection.url.scheme in ("https", "wss"):
            return True
        if not self.public_origin or not self.public_origin.startswith("https://"):
            return False
        return urlsplit(self.public_origin).netloc.lower() == connection.headers.get("host", "").lower()


def _welcome(visitor: Visitor | None, role: Role) -> TypeGuard[Visitor]:
    return visitor is not None and not visitor.must_change and visitor.actor.may(role)
