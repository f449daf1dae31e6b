"""The real web application around a few routers, with one person of each role at its door."""

from collections.abc import Sequence

import httpx
from fastapi import APIRouter

from changgu.app.access import AccessGate
from changgu.app.accounts import Visitor
from changgu.app.rendering import SitePages
from changgu.app.web import Health, build_app
from changgu.ground.access import Actor, Role

PEOPLE = {
    "agent": Actor("kim", "김상담", Role.AGENT, "token"),
    "supervisor": Actor("park", "박관리", Role.SUPERVISOR, "token"),
}


class Doorkeeper:
    """Knows the people above by a token that is their role."""

    async def visitor_by_cookie(self, cookie: str) -> Visitor | None:
        return None

    async def visitor_by_token(self, token: str) -> Visitor | None:
        actor = PEOPLE.get(token)
        return Visitor(actor) if actor else None


class Healthy:
    """All is well."""

    async def health(self) -> Health:
        return Health(pbx_connected=True, pbx_version="20.6.0", database=True)


class Site:
    """Give it routers made with `site.gate` and `site.pages`, then ask it as somebody."""

    def __init__(self) -> None:
        self.gate = AccessGate(Doorkeeper())
        self.pages = SitePages()

    def open(self, routers: Sequence[APIRouter]) -> None:
        """From now on these routes are served."""
        self._app = build_app(version="0", gate=self.gate, pages=self.pages, health=Healthy(), routers=routers)

    def visitor(self, role: str | None = "agent", lang: str = "ko") -> httpx.AsyncClient:
        """A browser of somebody with this role; None: of a stranger."""
        headers = {"Authorization": f"Bearer {role}"} if role else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app, raise_app_exceptions=False),
            base_url="http://desk.test",
            headers={**headers, "Accept": "text/html, application/json"},
            cookies={"changgu_language": lang},
        )
