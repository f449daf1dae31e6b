"""How every page is drawn: one frame, the templates of all packages, the reader's language and the site's clock."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import jinja2
from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from starlette.requests import HTTPConnection

import changgu
from changgu.app.catalogue import LANGUAGES, Catalogue, load_catalogue
from changgu.ground.access import ROLE_KO, Actor, Role
from changgu.ticketing.number import shown

LANGUAGE_COOKIE = "changgu_language"

PACKAGE_ROOT = Path(changgu.__file__).parent

NAVIGATION: tuple[tuple[str, str, Role], ...] = (
    ("desk", "/desk", Role.AGENT),
    ("wallboard", "/wallboard", Role.AGENT),
    ("calls", "/calls", Role.AGENT),
    ("callbacks", "/callbacks", Role.AGENT),
    ("tickets", "/tickets", Role.AGENT),
    ("messages", "/messages", Role.AGENT),
    ("people", "/people", Role.AGENT),
    ("floor", "/floor", Role.SUPERVISOR),
    ("flows", "/flows", Role.SUPERVISOR),
    ("notices", "/notices", Role.SUPERVISOR),
    ("accounts", "/accounts", Role.ADMIN),
)
"""What the top bar offers: message key under `nav.`, address, least role."""


def package_folders(name: str, root: Path = PACKAGE_ROOT) -> list[Path]:
    """The folders called `name` (templates, static, messages) of all packages, the frame's own first."""
    found = sorted(root.glob(f"*/{name}"))
    return sorted((folder for folder in found if folder.is_dir()), key=lambda folder: folder.parent.name != "app")


class SitePages:
    """Implements `ground.pages.Pages` with Jinja2, always escaping.

    A package's template is called `<package>_<page>.html` and begins with `{% extends "frame.html" %}`. It finds:
    `t(key, **words)`, `lang`, `languages`, `actor`, `local(datetime, form)`, `since(datetime)`, `clock(seconds)`,
    `ticket_number(number)`, `role_name(role)`, `site`, `zone`, `path`, `navigation` and its own context.
    """

    def __init__(
        self,
        *,
        zone: str = "Asia/Seoul",
        language: str = "ko",
        site: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        root: Path = PACKAGE_ROOT,
    ) -> None:
        self.zone = ZoneInfo(zone)
        self.language = language if language in LANGUAGES else LANGUAGES[0]
        self.site = site
        self._now = now
        self.catalogue: Catalogue = load_catalogue(package_folders("messages", root))
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(package_folders("templates", root)),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def language_of(self, connection: HTTPConnection) -> str:
        """The language this reader chose, or the site's."""
        chosen = connection.cookies.get(LANGUAGE_COOKIE, "")
        return chosen if chosen in LANGUAGES else self.language

    def local(self, when: datetime | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
        """A moment on the site's wall clock; a dash when there is none."""
        return "–" if when is None else when.astimezone(self.zone).strftime(form)

    def since(self, when: datetime | None) -> str:
        """How long ago, as a clock reads it."""
        return "–" if when is None else clock((self._now() - when).total_seconds())

    def render(
        self, request: Request, template: str, actor: Actor | None, *, status_code: int = 200, **context: Any
    ) -> Response:
        """The page, never kept by caches: what it shows is personal and soon old."""
        body = self.environment.get_template(template).render(self._words(request, actor), **context)
        return HTMLResponse(body, status_code=status_code, headers={"Cache-Control": "no-store"})

    def _words(self, request: Request, actor: Actor | None) -> Mapping[str, Any]:
        lang = self.language_of(request)

        def t(key: str, /, **words: Any) -> str:
            return self.catalogue.say(lang, key, **words)

        def role_name(role: Role) -> str:
            return ROLE_KO[role] if lang == "ko" else role.value

        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return {
            "t": t,
            "lang": lang,
            "languages": LANGUAGES,
            "actor": actor,
            "local": self.local,
            "since": self.since,
            "clock": clock,
            "ticket_number": shown,
            "role_name": role_name,
            "site": self.site,
            "zone": self.zone.key,
            "path": request.url.path,
            "here": quote(here, safe=""),
            "navigation": navigation_for(actor),
        }


def navigation_for(actor: Actor | None) -> Sequence[tuple[str, str, Role]]:
    """The entries of the top bar that lead this reader somewhere."""
    return [entry for entry in NAVIGATION if actor is not None and actor.may(entry[2])]


def clock(seconds: float | None) -> str:
    """`0:07`, `12:03`, `1:02:03`: minutes and seconds as agents say them; a dash when unknown."""
    if seconds is None:
        return "–"
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
