"""Who is asking, and what a person of that role may do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

# Who answers requests has loaded it; who routes calls need not.
if TYPE_CHECKING:
    from starlette.requests import HTTPConnection


class Role(StrEnum):
    """The three roles, each including the one before."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 for an agent, 2 for an administrator."""
        return list(Role).index(self)


ROLE_KO = {Role.AGENT: "요원", Role.SUPERVISOR: "관리자", Role.ADMIN: "시스템관리자"}


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or program behind a request."""

    login: str
    name: str
    role: Role
    via: str = "session"
    """`session` (a person at a page) or `token` (a program)."""

    def may(self, role: Role) -> bool:
        """Whether this actor's role includes `role`."""
        return self.role.rank >= role.rank


class Gate(Protocol):
    """Makes FastAPI dependencies; `app.access` is the one implementation.

    `Depends(gate.require(Role.AGENT))` yields the `Actor`, or answers 401/403. For WebSockets use
    `await gate.admit(websocket, Role.AGENT)`: checks cookie or bearer token and the Origin, and closes
    the socket with code 4401/4403 and returns None when the peer may not enter.
    """

    def require(self, role: Role) -> Callable[..., Awaitable[Actor]]:
        """A dependency that lets in whoever has this role."""
        ...

    async def admit(self, websocket: "HTTPConnection", role: Role) -> Actor | None:
        """Who opens this socket; None when they may not."""
        ...
