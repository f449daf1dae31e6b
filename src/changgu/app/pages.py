"""The pages that belong to no other room: signing in and out, one's password, the accounts, the language."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from changgu.app.access import SESSION_COOKIE, AccessGate, SignInNeeded
from changgu.app.accounts import Accounts, TooManyGuesses, WrongPassword
from changgu.app.catalogue import LANGUAGES
from changgu.app.rendering import LANGUAGE_COOKIE, SitePages
from changgu.ground.access import Actor, Role
from changgu.ground.trouble import BadInput, NotFound

logger = logging.getLogger(__name__)

YEAR = 365 * 24 * 3600


A_ROLE = Form()
PERHAPS_A_ROLE = Form(None)
PERHAPS_DISABLED = Form(None)  # one object a field: FastAPI notes the field's name in it


async def nobody_at_work(_login: str) -> None:
    """For a site without a floor."""


def build_pages(
    gate: AccessGate, pages: SitePages, accounts: Accounts, shut_out: Callable[[str], Awaitable[None]] = nobody_at_work
) -> APIRouter:
    """`/`, `/sign-in`, `/sign-out`, `/password`, `/accounts`, `/language/{lang}`.

    `shut_out` is told the login of an account that was disabled, so that its phone rings no more.
    """
    router = APIRouter(include_in_schema=False)
    anybody = Depends(gate.require_before_password_change(Role.AGENT))
    admin = Depends(gate.require(Role.ADMIN))

    @router.get("/")
    async def start(request: Request) -> Response:
        visitor = await gate.visitor(request)
        if visitor is None:
            return _go("/sign-in")
        return _go("/desk" if visitor.actor.role is Role.AGENT else "/wallboard")

    @router.get("/language/{lang}")
    async def choose_language(request: Request, lang: str, next: str = "/") -> Response:
        if lang not in LANGUAGES:
            raise NotFound("없는 언어입니다.", "There is no such language.")
        answer = _go(own_address(next))
        answer.set_cookie(LANGUAGE_COOKIE, lang, max_age=YEAR, samesite="lax", path="/", httponly=True)
        return answer

    @router.get("/sign-in")
    async def sign_in_page(request: Request, next: str = "/", ended: bool = False) -> Response:
        if await gate.visitor(request) is not None:
            return _go(own_address(next))
        return pages.render(request, "app_sign_in.html", None, next=next, login="", problem=None, ended=ended)

    @router.post("/sign-in")
    async def sign_in(
        request: Request,
        login: str = Form(max_length=200),
        password: str = Form(max_length=1000),
        next: str = Form("/", max_length=2000),
    ) -> Response:
        try:
            account = await accounts.check_password(login, password, address_of(request))
        except (WrongPassword, TooManyGuesses) as refusal:
            # Without what was typed: people type their password into the wrong field.
            logger.warning("sign-in refused: address=%s status=%d", address_of(request), refusal.status)
            problem = refusal.ko if pages.language_of(request) == "ko" else refusal.en
            page = pages.render(
                request,
                "app_sign_in.html",
                None,
                status_code=refusal.status,
                next=next,
                login=login,
                problem=problem,
                ended=False,
            )
            if isinstance(refusal, TooManyGuesses):
                page.headers["Retry-After"] = str(refusal.seconds)
            return page
        logger.info("signed in: login=%s role=%s address=%s", account.login, account.role, address_of(request))
        if before := request.cookies.get(SESSION_COOKIE):
            await accounts.close_session(before)
        answer = _go("/password" if account.must_change else own_address(next))
        gate.give_cookie(request, answer, await accounts.open_session(account.login))
        return answer

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        cookie = request.cookies.get(SESSION_COOKIE)
        if cookie:
            await accounts.close_session(cookie)
        answer = _go("/sign-in?ended=true")
        gate.take_cookie(request, answer)
        return answer

    @router.get("/password")
    async def password_page(request: Request, actor: Actor = anybody) -> Response:
        visitor = await gate.visitor(request)
        must = visitor is not None and visitor.must_change
        return pages.render(request, "app_password.html", actor, must=must, changed=False)

    @router.post("/password")
    async def change_password(
        request: Request,
        present: str = Form(max_length=1000),
        new: str = Form(max_length=1000),
        again: str = Form(max_length=1000),
        actor: Actor = anybody,
    ) -> Response:
        if actor.via != "session":
            raise SignInNeeded
        if new != again:
            raise BadInput("새 비밀번호가 서로 다릅니다.", "The two new passwords differ.", field="again")
        await accounts.change_own_password(actor.login, present, new, address_of(request))
        answer = pages.render(request, "app_password.html", actor, must=False, changed=True)
        gate.give_cookie(request, answer, await accounts.open_session(actor.login))
        return answer

    async def show_accounts(
        request: Request, actor: Actor, *, secret: str | None = None, said: str | None = None, **words: str
    ) -> Response:
        return pages.render(
            request,
            "app_accounts.html",
            actor,
            people=await accounts.accounts(),
            tokens=await accounts.tokens(),
            roles=list(Role),
            secret=secret,
            said=said,
            words=words,
        )

    @router.get("/accounts")
    async def accounts_page(request: Request, actor: Actor = admin) -> Response:
        return await show_accounts(request, actor)

    @router.post("/accounts")
    async def add_account(
        request: Request,
        login: str = Form(max_length=200),
        name: str = Form(max_length=200),
        role: Role = A_ROLE,
        password: str = Form("", max_length=1000),
        actor: Actor = admin,
    ) -> Response:
        given = await accounts.create_account(login, name, role, password or None)
        return await show_accounts(request, actor, secret=given, said="accounts.new_password", login=login.strip())

    @router.post("/accounts/people/{login}")
    async def change_account(
        request: Request,
        login: str,
        role: Role | None = PERHAPS_A_ROLE,
        disabled: bool | None = PERHAPS_DISABLED,
        actor: Actor = admin,
    ) -> Response:
        if role is not None:
            await accounts.set_role(login, role)
        if disabled is not None:
            await accounts.set_disabled(login, disabled)
            if disabled:
                await shut_out(login)
        return _go("/accounts")

    @router.post("/accounts/people/{login}/password")
    async def reset_password(request: Request, login: str, actor: Actor = admin) -> Response:
        given = await accounts.set_password(login, must_change=True)
        return await show_accounts(request, actor, secret=given, said="accounts.new_password", login=login)

    @router.post("/accounts/tokens")
    async def add_token(
        request: Request, name: str = Form(max_length=200), role: Role = A_ROLE, actor: Actor = admin
    ) -> Response:
        token = await accounts.create_token(name, role)
        return await show_accounts(request, actor, secret=token, said="accounts.token_new", name=name.strip())

    @router.post("/accounts/tokens/revoke")
    async def revoke_token(request: Request, name: str = Form(max_length=200), actor: Actor = admin) -> Response:
        await accounts.revoke_token(name)
        return _go("/accounts")

    return router


def own_address(address: str) -> str:
    """The address if it is a path on this site, else the start: a sign-in form must not lead to a foreign page."""
    plain = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if plain and address.isprintable() else "/"


def address_of(request: Request) -> str:
    """Where the request came from, for counting guesses."""
    return request.client.host if request.client else "unknown"


def _go(address: str) -> RedirectResponse:
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)
