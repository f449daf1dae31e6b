"""`changgu up`: opens the desk in order, says when it is ready, and closes it in order."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from changgu.acd.commands import Farewell
from changgu.acd.ledger.past.store import Past as LedgerPast
from changgu.acd.ledger.store import Ledger
from changgu.acd.queues import Floor
from changgu.acd.store import FloorStore
from changgu.app import schema
from changgu.app.accounts import Accounts
from changgu.app.assembly import Past, Service
from changgu.app.data_folder import DataFolder, DeskKind
from changgu.app.floor_keeper import FloorKeeper, menu_files
from changgu.app.generated_secrets import GeneratedSecrets, secrets_of
from changgu.app.pbx_care import Care, looked_after
from changgu.app.pbx_files import configuration
from changgu.app.pbx_settings import ari_access, pbx_plan
from changgu.app.running import announced
from changgu.app.settings import Settings
from changgu.app.stopwatch import Stopwatch
from changgu.app.voices import (
    DeskVoice,
    desk_voice,
    named_sentences,
    nameless_sentences,
    prompt_store,
    says_it_is_a_machine,
    spoken_languages,
)
from changgu.ground.database import Database
from changgu.ground.garbage import look_seldom
from changgu.ground.trouble import Trouble
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.problems import FlowErrors
from changgu.ivr_flows.publishing.service import FlowVersions
from changgu.ivr_flows.publishing.store import FlowStore
from changgu.telephony.existing_pbx import ExistingPbx, takes_rest_over_websocket
from changgu.telephony.farewells import away_prompt, farewell_prompts
from changgu.telephony.pbx import PrivatePbx
from changgu.telephony.pbx_packages import PbxRelease, architecture_of, default_folder, dotted, install, installed
from changgu.telephony.speech.prompts import PromptStore
from changgu.telephony.speech.synthesiser import Synthesiser

# Pages, the example desk and what updates the database are imported where they are wanted: while they load, nobody's
# call is routed, and after a crash callers wait for that.
if TYPE_CHECKING:
    from changgu.app.page_server import PageServer

logger = logging.getLogger(__name__)

FAREWELL_LIMIT = 12.0
"""Seconds that the callers who still wait may take to hear that the desk closes."""
SERVING_TURN = 0.0005
"""Seconds after which a thread that writes to the database gives way to the loop that serves calls."""

LOADING_TURN = 0.0005
"""Seconds for which loading the pages may hold up the loop that routes calls, each time: a tenth of Python's usual."""
SECOND_SIGNAL = 130


class AddressTaken(Trouble):
    """The web port is used by another program."""


class MenuUnusable(Trouble):
    """The menu tree has mistakes; the message names each with its line."""


class NotReady(Trouble):
    """The parts did not come up in time."""


class PartEnded(Trouble):
    """A part of the service came to an end that nobody asked for."""


def say(line: str) -> None:
    """A line of progress."""
    tell(f"  {line}")


def tell(line: str) -> None:
    """A line for whoever started us; when their terminal is gone, the desk goes on without it."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


def run(settings: Settings) -> None:
    """Open the desk and keep it open until SIGTERM or Ctrl-C."""
    _set_up_log(settings)
    try:
        import uvloop
    except ImportError:  # a platform without it: slower, not different
        asyncio.run(_run(settings))
    else:
        uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    kind = DeskKind.DEMO if settings.demo.enabled else DeskKind.REAL
    stop = Stop()  # first: whoever finds the folder in use may send us a signal
    with DataFolder(settings.data, kind), announced(settings):
        opening = Opening(settings, secrets_of(settings.data), stop)
        stop.opening = asyncio.create_task(opening.open_and_serve())
        with contextlib.suppress(asyncio.CancelledError):
            await stop.opening


class Stop:
    """SIGTERM or Ctrl-C: once asks to close the desk, twice ends it at once."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()
        self.opening: asyncio.Task[None] | None = None
        """Set while the desk is not open yet: then there is nothing to close, and the opening ends at once."""
        self.reload = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)

    def _signalled(self) -> None:
        if self.wanted.is_set():
            sys.exit(SECOND_SIGNAL)
        self.wanted.set()
        say("창구를 닫습니다 · closing the desk")
        if self.opening is not None:
            self.opening.cancel()


class ExampleDesk(Protocol):
    """What is opened with `--demo`: `demo.desk.DemoDesk`."""

    async def fill(self, say: Callable[[str], None]) -> None:
        """Put its people and its past into the data folder, once."""
        ...

    async def run(self, service: Service) -> None:
        """Let its people call, until cancelled."""
        ...


def example_desk(settings: Settings, database: Database) -> ExampleDesk:
    """The example desk and its crowd."""
    from changgu.app.demo.desk import DemoDesk

    return DemoDesk(settings, database)


class Opening:
    """One opening of the desk, from the database to the `ready:` line and back."""

    def __init__(
        self, settings: Settings, secrets: GeneratedSecrets, stop: Stop, synthesiser: Synthesiser | None = None,
        example: Callable[[Settings, Database], ExampleDesk] = example_desk,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._example = example
        self._voice = (
            desk_voice(settings, os.environ) if synthesiser is None else DeskVoice(synthesiser, None, False, False, "")
        )
        self._secrets = secrets
        self._stop = stop
        self._care = Care()
        self._change_missed = False
        self._password: str | None = None
        self._speaking: asyncio.Task[None] | None = None
        """The prompts being looked through, or made."""
        self._improving: asyncio.Task[None] | None = None
        """Those that the stand-in said being made by the desk's own voice."""
        self._prompt_store: PromptStore | None = None
        self._watch = Stopwatch()
        self._watch.lap("programs loaded")

    async def open_and_serve(self) -> None:
        """Everything, in order; returns when the desk is closed."""
        settings = self._settings
        web_socket = _listen(settings)
        database = schema.database_of(settings.data)
        try:
            await schema.upgrade(database)
            self._watch.lap("database open")
            floors = FloorStore(database)
            await floors.seed()
            self._password = await Accounts(database).first_administrator()
            demo = self._example(settings, database) if settings.demo.enabled else None
            if demo is not None:
                await demo.fill(say)
            versions = FlowVersions(
                FlowStore(database), lambda: menu_files(settings.data), pilot=settings.desk.pilot_number,
                four_eyes=settings.desk.menu_by_two,
            )  # fmt: skip
            keeper = FloorKeeper(settings, floors, versions)
            ledger = Ledger(database, settings.data / "spool.jsonl")
            await ledger.recover()  # it says whether an emergency plan is on
            emergency = await LedgerPast(database).emergency()
            try:
                await keeper.read(emergency)
            except FlowErrors as wrong:
                raise MenuUnusable(str(wrong), str(wrong)) from wrong
            except ValueError as wrong:
                folder = settings.data / "prompts"
                raise MenuUnusable(f"{folder}: 문장 파일을 읽을 수 없습니다: {wrong}", f"{folder}: {wrong}") from wrong
            self._watch.lap("floor read")
            assert keeper.flow is not None
            prompts = self._prompts(keeper.flow)
            pbx, files = await self._pbx(keeper, prompts, floors)
            self._watch.lap("PBX found")
            async with looked_after(pbx, await files(keeper.floor), self._care, self._pbx_is_back):
                over_websocket = True
                if isinstance(pbx, ExistingPbx) and pbx.version is not None:
                    say(f"기존 Asterisk {dotted(pbx.version)} · the existing Asterisk")
                    over_websocket = takes_rest_over_websocket(pbx.version)
                self._watch.lap("PBX looked after")
                past = await Past.read(ledger, ZoneInfo(settings.desk.time_zone))
                self._watch.lap("ledger read")
                service = Service(
                    settings, self._secrets, database, keeper, versions, prompts, ledger, past,
                    rest_over_websocket=over_websocket, fallback_voice=self._voice.said * self._voice.is_fallback,
                )  # fmt: skip
                self._watch.lap("calls restored")
                await self._serve(service, web_socket, demo)
        finally:
            for making in (self._speaking, self._improving):
                if making is not None:
                    making.cancel()
                    await asyncio.gather(making, return_exceptions=True)
            if self._prompt_store is not None:
                await self._prompt_store.close()
            web_socket.close()
            await database.close()

    # Before the calls

    def _prompts(self, flow: Flow) -> PromptStore:
        if self._voice.said:
            say(self._voice.said)
        if self._voice.is_fallback:
            logger.warning(self._voice.said)
        if self._voice.artificial and not says_it_is_a_machine(flow):
            say("메뉴가 기계의 음성임을 알리지 않습니다(machine_voice) · the menu does not say machine_voice")
        self._prompt_store = prompt_store(self._settings, self._voice, os.environ, flow)
        return self._prompt_store

    async def _speak(self, prompts: PromptStore, flow: Flow, floor: Floor, *, opening: bool = False) -> None:
        """Make every prompt. A desk that opens does not wait for a slow voice: its stand-in speaks meanwhile."""
        languages = spoken_languages(flow, self._settings.desk.language)
        texts = nameless_sentences(flow, floor, languages)
        if not opening:
            prompts.renew(await asyncio.to_thread(named_sentences, self._settings, flow))

        def progress(done: int, wanted: int) -> None:
            if self._stop.opening is not None and (done == wanted or done % 40 == 0):
                say(f"안내 음성 · prompts {done}/{wanted}")

        async def prepare() -> None:
            await prompts.prepare(languages, texts, progress)

        if opening and (count := await prompts.stand_in(languages, texts)):
            say(
                f"안내문 {count}개는 지금 만들고 있습니다. 그동안 espeak-ng가 읽습니다 · "
                f"{count} prompts are being made; espeak-ng speaks them meanwhile"
            )
            self._improving = asyncio.create_task(prepare(), name="better prompts")
        else:
            await prepare()

    async def _pbx(
        self, keeper: FloorKeeper, prompts: PromptStore, floors: FloorStore
    ) -> tuple[PrivatePbx | ExistingPbx, Callable[[Floor], Awaitable[dict[str, str]]]]:
        """The PBX and what makes its configuration for a floor; a changed floor is taken up by it first.

        One that runs may have callers, who are not kept waiting until its programs and all prompts have been checked.
        """
        assert keeper.flow is not None
        speaking = self._speak(prompts, keeper.flow, keeper.floor, opening=True)
        self._speaking = asyncio.create_task(speaking, name="prompts")
        release: PbxRelease | None = None
        if self._settings.pbx.kind == "existing":
            await self._speaking
        else:
            release = self._running_release()
            if release is None:
                release, _ = await asyncio.gather(asyncio.to_thread(install, say), self._speaking)
        language = self._settings.desk.language
        sounds: list[Path | None] = []
        for sentence in (away_prompt(language), *farewell_prompts(language, Farewell.QUEUE_FULL)):
            sound = await prompts.sound(sentence, language)
            if not sound:  # its sentence is new, and takes longer than a caller in the menu would wait
                await self._speaking
                sound = await prompts.sound(sentence, language)
            sounds.append(Path(sound[0]) if sound else None)
        away, full = sounds
        plan = pbx_plan(self._settings, self._secrets, release, away_sound=away, full_sound=full)
        pbx = PrivatePbx(release, plan, say=say) if release is not None else self._existing()

        async def files(floor: Floor) -> dict[str, str]:
            return configuration(plan, floor, await floors.sip_passwords(), Path(plan.folders.etc))

        async def take_up(floor: Floor, _flow: Flow) -> None:
            await pbx.apply(await files(floor))

        keeper.prepare(lambda floor, flow: self._speak(prompts, flow, floor), take_up)
        return pbx, files

    def _running_release(self) -> PbxRelease | None:
        """The programs of the private PBX if it runs."""
        there = installed(default_folder(os.environ), architecture_of(os.uname().machine))
        if there is None:
            return None
        pbx = PrivatePbx(there, pbx_plan(self._settings, self._secrets, there), say=say)
        return there if pbx.find() is not None else None

    def _existing(self) -> ExistingPbx:
        access, folder = ari_access(self._settings, self._secrets), self._settings.pbx.configuration_folder
        return ExistingPbx(access.url, access.user, access.password, Path(folder) if folder else None)

    # While the desk is open

    async def _serve(self, service: Service, web_socket: socket.socket, demo: ExampleDesk | None) -> None:
        parts = [asyncio.create_task(service.run(), name="service")]
        server: PageServer | None = None
        sys.setswitchinterval(SERVING_TURN)
        try:
            await self._until_ready(service, parts)
            self._watch.lap("calls routed")
            tidy_up_later = not gc.isenabled()  # by the command line, so that nobody waits for it
            if tidy_up_later:
                look_seldom()
            await service.caught_up()
            server = await asyncio.to_thread(_page_server, service)
            if self._speaking is not None:
                await self._speaking
            parts.append(asyncio.create_task(server.serve(sockets=[web_socket]), name="web"))
            await self._until_serving(server, parts[-1])
            service.pages_open.set()
            if tidy_up_later:
                gc.freeze()  # the pages too: to look for garbage in what stays would hold up calls for 0.1 s and more
            self._watch.lap("pages served")
            self._watch.say("the desk is open")
            parts.append(asyncio.create_task(self._reload_when_asked(service.keeper), name="reload"))
            if demo is not None:
                parts.append(asyncio.create_task(demo.run(service), name="demo"))
            self._stop.opening = None
            self._care.opened = True
            self._say_ready()
            await self._until_told_to_close(parts)
            for part in parts:
                if part.get_name() == "demo":
                    part.cancel()  # or its crowd would keep calling a desk that closes
            if self._settings.pbx.stop_with_service:
                self._care.ends_with_desk = True
                await service.close_desk(FAREWELL_LIMIT)
        finally:
            service.presence.close()
            if server is not None:
                server.should_exit = True
            for part in reversed(parts):
                if part.get_name() != "web" and not part.cancelling():
                    part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _until_serving(self, server: "PageServer", web: asyncio.Task[None]) -> None:
        serving = asyncio.create_task(server.serving.wait())
        await asyncio.wait([serving, web], return_when=asyncio.FIRST_COMPLETED)
        if web.done():
            serving.cancel()
            web.result()

    async def _until_told_to_close(self, parts: list[asyncio.Task[None]]) -> None:
        stopping = asyncio.create_task(self._stop.wanted.wait())
        try:
            await asyncio.wait([stopping, *parts], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        for part in parts:
            if part.done():
                if not part.cancelled():
                    part.result()
                name = part.get_name()
                raise PartEnded(f"{name}: 저절로 끝났습니다.", f"{name}: it came to an end by itself.")

    async def _until_ready(self, service: Service, parts: list[asyncio.Task[None]]) -> None:
        ready = asyncio.create_task(service.ready())
        await asyncio.wait([ready, *parts], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
        for part in parts:
            if part.done():
                part.result()
        try:
            await ready
        except TimeoutError:
            raise NotReady(
                "PBX와 연결되지 않았습니다. 자료 폴더의 pbx/log를 보십시오.",
                "The PBX did not take our connection; see pbx/log in the data folder.",
            ) from None

    async def _reload_when_asked(self, keeper: FloorKeeper) -> None:
        while True:
            await self._stop.reload.wait()
            self._stop.reload.clear()
            self._change_missed = not await keeper.reload()

    def _pbx_is_back(self) -> None:
        if self._change_missed:  # perhaps only because the PBX was down
            self._stop.reload.set()

    def _say_ready(self) -> None:
        settings = self._settings
        origin = settings.web.origin
        tell(f"ready: {origin}")
        lines = [
            ("상담 화면 · agent's desk", f"{origin}/desk"),
            ("현황판 · wallboard", f"{origin}/wallboard"),
            ("통화 · 접수 · 사용자", f"{origin}/calls  {origin}/tickets  {origin}/people"),
        ]
        if settings.visitor_phone.enabled != "off":
            lines.append(("브라우저 전화 · call from the browser", f"{origin}/phone"))
        if settings.pbx.kind == "private":
            lines.append(("SIP", settings.sip_address))
        if self._password is not None:
            lines.append(("처음 로그인 · first sign-in", f"admin  {self._password}"))
        for what, where in lines:
            say(f"{what}: {where}")


def _page_server(service: Service) -> "PageServer":
    """Everything that people and programs see, ready to be served; in a thread of its own, while calls are routed."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(LOADING_TURN)
    try:
        from changgu.app.front import build_front
        from changgu.app.page_server import PageServer

        return PageServer(build_front(service))
    finally:
        sys.setswitchinterval(usual)


def _listen(settings: Settings) -> socket.socket:
    """The web port, taken before anything else is done."""
    web = settings.web
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((web.host, web.port))
    except OSError as trouble:
        listening.close()
        raise AddressTaken(
            f"웹 포트를 쓸 수 없습니다: {web.host}:{web.port} ({trouble.strerror}). 다른 포트를 지정하십시오: "
            "--port, web.port",
            f"{web.host}:{web.port} cannot be used ({trouble.strerror}); choose another: --port, web.port",
        ) from trouble
    return listening


class _CallIds(logging.Filter):
    """Every line about a call names it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add ` call_id=…` where the line has one."""
        call = getattr(record, "call_id", None)
        record.about = f" call_id={call}" if call else ""
        return True


def _set_up_log(settings: Settings) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s%(about)s %(message)s"))
    handler.addFilter(_CallIds())
    logging.basicConfig(level=settings.log.level, handlers=[handler])
    for chatty in (
        "httpx", "httpcore", "alembic", "panoramisk", "picows", "uvicorn.error", "aiosqlite", "websockets", "asyncio",
    ):  # fmt: skip
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(settings.log.level)))
