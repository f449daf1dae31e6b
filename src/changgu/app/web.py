"""The web server's shape: every router, the pages' frame, how trouble is answered, which headers guard it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.routing import iter_route_contexts
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from changgu.app.access import (
    ADMITTED,
    SAFE_METHODS,
    AccessGate,
    ForeignOrigin,
    Guard,
    PasswordChangeNeeded,
    SignInNeeded,
)
from changgu.app.rendering import SitePages, package_folders
from changgu.ground.access import Role
from changgu.ground.trouble import Trouble

RECHECK = 30.0
"""Seconds after which whoever was shut out, signed out or moved down has lost their open WebSockets, too."""
CLOSE_ASK_AGAIN = 1012

__all__ = ["Health", "HealthSource", "SitePages", "build_app"]


@dataclass(frozen=True, slots=True)
class Health:
    """How the parts are that calls need."""

    pbx_connected: bool
    pbx_version: str | None
    database: bool

    @property
    def ok(self) -> bool:
        """Whether calls can be taken."""
        return self.pbx_connected and self.database


class HealthSource(Protocol):
    """Whoever knows how the service is; asked at most as often as somebody reads `/healthz`."""

    async def health(self) -> Health:
        """How things stand now."""
        ...


def build_app(
    *,
    version: str,
    gate: AccessGate,
    pages: SitePages,
    health: HealthSource,
    routers: Sequence[APIRouter],
    static: Mapping[str, Path] | None = None,
    connect_to: Sequence[str] = (),
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """The whole web application.

    Args:
        version: told by `/healthz` and the API description.
        gate: who may come in.
        pages: draws the pages, error pages among them.
        health: the source of `/healthz`.
        routers: of all packages; each guards its own routes with `gate.require`.
        static: further folders under `/static/<name>`, such as a bundle made at set-up; the `static` folder of every
            package is served without being named here.
        connect_to: origins beyond our own to which pages may open sockets, such as `ws://127.0.0.1:8088` for a
            browser phone.
        lifespan: what runs as long as the application.
    """
    app = DescribedApi(
        title="창구 changgu",
        version=version,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        description="REST of the desk: calls, agents, queues, people, tickets. "
        "Send `Authorization: Bearer <token>`; make tokens with `./changgu token create --name N --role R`.",
    )
    for router in routers:
        app.include_router(router)

    @app.get("/healthz", tags=["health"], summary="Whether calls can be taken; 503 when a part that they need is down")
    async def healthz() -> JSONResponse:
        state = await health.health()
        content = {
            "status": "ok" if state.ok else "degraded",
            "version": version,
            "pbx": {"connected": state.pbx_connected, "version": state.pbx_version},
            "database": "ok" if state.database else "down",
        }
        status = HTTPStatus.OK if state.ok else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(content, status_code=status, headers={"Cache-Control": "no-store"})

    @app.get("/api/docs", include_in_schema=False)
    async def api_docs(request: Request) -> Response:
        visitor = await gate.visitor(request)
        actor = visitor.actor if visitor else None
        origin = str(request.base_url).rstrip("/")
        return pages.render(request, "app_api.html", actor, openapi=app.openapi(), role=Role, origin=origin)

    for name, folder in {**_package_statics(), **(static or {})}.items():
        app.mount(f"/static/{name}", RevalidatedFiles(directory=folder, check_dir=False), name=f"static-{name}")
    app.mount("/static", RevalidatedFiles(directory=Path(__file__).parent / "static"), name="static")

    headers = guarding_headers(connect_to)
    TroubleAnswers(gate, pages, headers).register(app)
    app.add_middleware(Guarded, gate=gate, headers=headers)
    return app


_CONVERTER = re.compile(r":[a-z]+\}")


class DescribedApi(FastAPI):
    """FastAPI whose description also says how to come in, and which role each operation needs."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once; `x-role` names the least role."""
        if self.openapi_schema is not None:
            return self.openapi_schema
        described = super().openapi()
        bearer = {"type": "http", "scheme": "bearer", "description": "A token from `./changgu token create`."}
        described.setdefault("components", {})["securitySchemes"] = {"bearer": bearer}
        for route in iter_route_contexts(self.routes):
            role = _role_of(getattr(route, "dependant", None))
            for method in route.methods or ():
                written = _CONVERTER.sub("}", route.path or "")  # `{node:path}` is `{node}` in the description
                operation = described["paths"].get(written, {}).get(method.lower())
                if operation is not None and role is not None:
                    operation["x-role"] = role.value
                    operation["security"] = [{"bearer": []}]
        return described


def _role_of(dependant: Dependant | None) -> Role | None:
    """The least role among what a route depends on."""
    for one in dependant.dependencies if dependant else ():
        role = one.call.role if isinstance(one.call, Guard) else _role_of(one)
        if role is not None:
            return role
    return None


def _package_statics() -> dict[str, Path]:
    folders = {folder.parent.name: folder for folder in package_folders("static")}
    folders.pop("app", None)
    return folders


class RevalidatedFiles(StaticFiles):
    """Static files that a browser keeps but asks about: after an update nobody runs yesterday's script."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or 304 when the browser's copy is still good."""
        response = await super().get_response(path, scope)
        response.headers.setdefault("Cache-Control", "no-cache")
        return response


class TroubleAnswers:
    """Says every kind of trouble once: JSON `{"error": {"ko", "en", "field"}}` to programs, a page to people."""

    def __init__(self, gate: AccessGate, pages: SitePages, guarding: Mapping[str, str]) -> None:
        self._gate = gate
        self._pages = pages
        self._guarding = guarding

    def register(self, app: FastAPI) -> None:
        """Answer these for the whole application."""
        handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
            Trouble: self.trouble,
            RequestValidationError: self.malformed,
            HTTPException: self.http,
            Exception: self.unforeseen,
        }
        for kind, handler in handlers.items():
            app.add_exception_handler(kind, handler)

    async def trouble(self, request: Request, error: Trouble) -> Response:
        """A refusal; somebody who only has to sign in or change a password is led there."""
        if _wants_page(request) and request.method in SAFE_METHODS:
            if isinstance(error, SignInNeeded):
                here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(f"/sign-in?next={quote(here, safe='')}", HTTPStatus.SEE_OTHER)
            if isinstance(error, PasswordChangeNeeded):
                return RedirectResponse("/password", HTTPStatus.SEE_OTHER)
        headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
        seconds = getattr(error, "seconds", None)
        if error.status == HTTPStatus.TOO_MANY_REQUESTS and seconds is not None:
            headers["Retry-After"] = str(seconds)
        return await self._answer(request, error.status, error.ko, error.en, error.field, headers)

    async def malformed(self, request: Request, error: RequestValidationError) -> Response:
        """A body or parameter that does not have the shape the API describes."""
        first = error.errors()[0] if error.errors() else {}
        field = ".".join(str(part) for part in first.get("loc", ())[1:]) or None
        ko, en = f"요청의 형식이 맞지 않습니다: {field}", f"The request is malformed: {field}: {first.get('msg', '')}"
        return await self._answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, ko, en, field, {})

    async def http(self, request: Request, error: HTTPException) -> Response:
        """No such address, no such method."""
        ko = {404: "없는 주소입니다.", 405: "이 주소에서는 할 수 없는 일입니다."}.get(
            error.status_code, "요청을 처리할 수 없습니다."
        )
        return await self._answer(request, error.status_code, ko, str(error.detail), None, dict(error.headers or {}))

    async def unforeseen(self, request: Request, _error: Exception) -> Response:
        """A mistake of ours; the log has it, the reader gets no innards."""
        ko = "서버에서 오류가 났습니다. 시스템관리자에게 알려 주세요."
        # This answer is given outside of `Guarded`, which is why it brings the headers along.
        return await self._answer(request, 500, ko, "Something went wrong on our side.", None, self._guarding)

    async def _answer(
        self, request: Request, status: int, ko: str, en: str, field: str | None, headers: Mapping[str, str]
    ) -> Response:
        if not _wants_page(request):
            content = {"error": {"ko": ko, "en": en, "field": field}}
            return JSONResponse(content, status_code=status, headers=dict(headers))
        actor = None
        if status != HTTPStatus.INTERNAL_SERVER_ERROR:
            visitor = await self._gate.visitor(request)
            actor = visitor.actor if visitor else None
        said = ko if self._pages.language_of(request) == "ko" else en
        page = self._pages.render(
            request, "app_trouble.html", actor, status_code=status, said=said, status=status, field=field
        )
        page.headers.update(headers)
        return page


def _wants_page(request: Request) -> bool:
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def guarding_headers(connect_to: Sequence[str] = ()) -> Mapping[str, str]:
    """What tells the browser to run our own scripts only, in no foreign frame, and to talk to nobody else."""
    return {
        "Content-Security-Policy": "; ".join((
            "default-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob:",
            " ".join(("connect-src 'self'", *connect_to)),
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    }


class Guarded:
    """Stands before everything: foreign requests are turned away, and every answer carries its guarding headers.

    A WebSocket may last for days, so who opened it is looked up again now and then.
    """

    def __init__(
        self, app: ASGIApp, gate: AccessGate, headers: Mapping[str, str], *, recheck: float | None = None
    ) -> None:
        self._app = app
        self._gate = gate
        self._headers = headers
        self._recheck = RECHECK if recheck is None else recheck

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if self._gate.allowed_origin(HTTPConnection(scope)):
                await self._carry_line(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 4403, "reason": "foreign origin"})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] not in SAFE_METHODS and not await self._gate.checks_out(HTTPConnection(scope)):
            refusal = ForeignOrigin()
            content = {"error": {"ko": refusal.ko, "en": refusal.en, "field": None}}
            await JSONResponse(content, status_code=refusal.status)(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    async def _carry_line(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket, cut when whoever opened it is no longer let in; their page knocks again and hears why."""
        admitted: list[Role] = []
        over = asyncio.Event()

        async def send_while_open(message: Message) -> None:
            if over.is_set():
                raise OSError("the line was cut")  # Starlette takes it for what it is: a disconnect
            if message["type"] == "websocket.close":
                over.set()
            await send(message)

        async def watch() -> None:
            while not over.is_set():
                await asyncio.sleep(self._recheck)
                try:
                    if not admitted or await self._gate.still_admits(HTTPConnection(scope), admitted):
                        continue
                except SQLAlchemyError:
                    continue  # nobody is cut off because the database cannot be asked
                if not over.is_set():
                    over.set()
                    await send({"type": "websocket.close", "code": CLOSE_ASK_AGAIN, "reason": "access has changed"})

        watching = asyncio.create_task(watch())
        try:
            await self._app({**scope, ADMITTED: admitted}, receive, send_while_open)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
