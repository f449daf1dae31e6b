"""How a package shows a page without knowing the frame around it."""

from typing import Any, Protocol

from fastapi import Request, Response

from changgu.ground.access import Actor


class Pages(Protocol):
    """Renders a Jinja template in the shared frame; `app.web` is the one implementation.

    Templates find `t("key")` (the message catalogue in the reader's language), `lang` ("ko" or "en"),
    `actor` (or None), `local(datetime)` (the site's zone),
    `ticket_number(digits)` as every page shows it, and whatever is passed in `context`.
    """

    def render(self, request: Request, template: str, actor: Actor | None, **context: Any) -> Response:
        """The page."""
        ...
