"""Puts the house together: the one place that knows everybody, save for the pages (`front`).

Reading `Service.listeners` answers what happens when a call is answered; reading `Service.run` answers what runs.
What is imported here is imported before the first call is routed, so nothing is that calls do not need: callers wait.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError

from changgu.acd.call_state import CallState
from changgu.acd.engine import Engine
from changgu.acd.events import DeskClosed
from changgu.acd.facts import Recorded
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.ledger.past.store import Past as LedgerPast
from changgu.acd.ledger.store import Ledger
from changgu.acd.lost_calls import LostCalls
from changgu.acd.queue_log import QueueLog
from changgu.acd.queues import Floor
from changgu.acd.runner import Runner, SteadyClock
from changgu.acd.store import CallStore, FloorStore
from changgu.app.accounts import Accounts
from changgu.app.emergencies import Emergencies
from changgu.app.fact_log import FactLog
from changgu.app.floor_keeper import FloorKeeper
from changgu.app.flow_joins import DeskMenu, MenuFacts, MenuVoice, NoticeLookUps, tell_of_missing_hours
from changgu.app.generated_secrets import GeneratedSecrets
from changgu.app.joins import (
    NOT_DIALLED,
    CallerConfirmed,
    CallerStandings,
    KnownPeople,
    MenuLookUps,
    TicketLines,
    WhoCalled,
)
from changgu.app.message_joins import (
    FaxTickets,
    KnownCallers,
    LateMessages,
    MenuSurveys,
    PinPeople,
    SelfServiceLookUps,
    SurveyDesk,
    SurveyInvitations,
    VoicemailTickets,
    dialable,
)
from changgu.app.pbx_settings import ami_access, ari_access, queue_log_file
from changgu.app.pin_joins import MessagedPins, RegisteredPeople
from changgu.app.sending import messengers, web_credentials
from changgu.app.settings import Settings
from changgu.app.transcripts import Transcripts
from changgu.directory.numbers import Numbering
from changgu.directory.service import Directory
from changgu.ground.database import Database
from changgu.ivr_flows.heard import asks_by_voice
from changgu.ivr_flows.opening_hours import Calendar
from changgu.ivr_flows.publishing.callers.service import Counts, Notices
from changgu.ivr_flows.publishing.service import FlowVersions
from changgu.ivr_flows.publishing.store import CountStore, NoticeStore
from changgu.recordings.retention import Retention
from changgu.recordings.service import Recordings
from changgu.recordings.store import RecordingStore
from changgu.screenpop.history import RecordedCalls
from changgu.screenpop.people import DirectoryPeople
from changgu.screenpop.presence import Presence
from changgu.screenpop.service import ScreenPop
from changgu.screenpop.store import IdentifiedCalls
from changgu.telephony.admission import Admission
from changgu.telephony.agent_phones import AgentPhones
from changgu.telephony.ami.client import Ami, AmiAddress
from changgu.telephony.ami.queue_log_writer import QueueLogWriter
from changgu.telephony.ari.stream import AriAddress
from changgu.telephony.cel_writer import CelWriter
from changgu.telephony.dial_plan import DialPlan, unreachable_destinations
from changgu.telephony.fax import FaxFolder
from changgu.telephony.inbound import Desk
from changgu.telephony.ivr_player import Helpers
from changgu.telephony.ivr_web import WebLookUps
from changgu.telephony.own_ends import OwnEnds
from changgu.telephony.own_waits import OwnWaits
from changgu.telephony.recorder import MixMonitorRecorder
from changgu.telephony.service import Telephony
from changgu.telephony.shadow_queues import ShadowQueueKeeper
from changgu.telephony.shadow_reader import ShadowReader
from changgu.telephony.speech.prompts import PromptStore
from changgu.telephony.watchdog import Watchdog
from changgu.ticketing.intake.messages import Waiting
from changgu.ticketing.intake.runner import Expiry, UnansweredWatch
from changgu.ticketing.intake.service import Intake
from changgu.ticketing.outbox.service import Outbox
from changgu.ticketing.runner import TicketOpener
from changgu.ticketing.self_service.resets.service import PinResets
from changgu.ticketing.self_service.runner import TicketCallbacks
from changgu.ticketing.self_service.service import SelfService
from changgu.ticketing.service import Tickets
from changgu.ticketing.surveys.service import Surveys
from changgu.wallboard.board import Board
from changgu.wallboard.feed import Feed

logger = logging.getLogger(__name__)

SETTLE_AGAIN = 10.0
"""Seconds until what could not be settled for lack of the database is tried again."""

LIMITS_HELD = 10.0
"""Seconds after a start for which ring limits and wrap-ups do not run out unless the PBX has been looked at."""

PAGES_BACK = 12.0
"""Seconds after a start within which open desktops have come back: a page tries again after 10 s at the latest."""


class Running(Protocol):
    """A part that runs until it is cancelled."""

    async def run(self) -> None:
        """Does its work."""
        ...


class Service:
    """The desk: everything that runs, wired from what the ledger says (`Past.read`); then `run()`."""

    def __init__(
        self, settings: Settings, secrets: GeneratedSecrets, database: Database, keeper: FloorKeeper,
        versions: FlowVersions, prompts: PromptStore, ledger: Ledger, past: "Past", *,
        rest_over_websocket: bool = True, fallback_voice: str = "",
    ) -> None:  # fmt: skip
        """`fallback_voice`: what supervisors are told of the voice, when it is the fallback."""
        self.settings = settings
        self.database = database
        self.ledger = ledger
        self.keeper = keeper
        self.secrets = secrets
        zone = ZoneInfo(settings.desk.time_zone)

        # The core, as the ledger says it was.
        self.engine = Engine.restore(keeper.floor, past.tail, first_offer=past.next_offer)
        clock = SteadyClock(not_before=past.last_at)
        now = clock.now

        # Rooms
        self.directory = Directory(database, Numbering(settings.desk.region, settings.desk.extensions))
        self.tickets = Tickets(database)
        self.calls = CallStore(database)
        self.set_ups = LedgerPast(database)
        self.floor_store = FloorStore(database)
        self.accounts = Accounts(database)
        self.identified = IdentifiedCalls(database)
        self.who_called = WhoCalled(self.directory, self.identified, lambda: self.engine.calls)
        self.screen_pop = ScreenPop(
            directory=DirectoryPeople(self.directory),
            tickets=TicketLines(self.tickets, self.directory),
            calls=RecordedCalls(self.calls, lambda: keeper.floor),
            identified=self.identified,
            floor=lambda: keeper.floor,
            now=now,
            node_title=keeper.node_title,
            confirmed=CallerConfirmed(self.tickets).confirmed,
        )
        self.screen_pop.restore(past.tail)
        self.tickets.tell(self.screen_pop.ticket_changed)
        self.intake = Intake(
            database, self.tickets, settings.attachments_folder,
            Waiting(timedelta(minutes=settings.messages.alert_minutes), self._hours(settings.messages.alert_hours)),
            self._queue_title,
        )  # fmt: skip
        self.unanswered = UnansweredWatch(self.intake, LateMessages(self.screen_pop).show)
        self.intake.tell(self.unanswered.look)
        self.tickets.tell(self.unanswered.ticket_changed)
        self.surveys = Surveys(database, self.tickets)
        self.survey_desk = SurveyDesk(self.surveys)
        post = messengers(settings.sending, settings.data, self.directory.numbering.canonical)
        self.outbox = Outbox(database, post)
        self.self_service = SelfService(
            database, self.tickets, PinPeople(self.directory), secrets.pin_key.encode(),
            book=lambda asked: self.runner.post(asked), dialable=dialable(self.dial_plan),
            queue=lambda: QueueName(settings.desk.main_queue),
            queue_exists=lambda name: keeper.queue(QueueName(name)) is not None,
        )  # fmt: skip
        self.pin_resets = PinResets(
            database, self.self_service, RegisteredPeople(self.directory),
            MessagedPins(self.directory, post, settings.desk) if post else None, self.outbox,
        )  # fmt: skip
        self.expiry = Expiry(
            settings.messages.days, zone,
            {"faxes": self.intake.purge, "guesses at PINs": self.self_service.purge,
             "wishes for a PIN": self.pin_resets.purge, "messages to callers": self.outbox.purge},
        )  # fmt: skip
        self.ticket_callbacks = TicketCallbacks(self.self_service, self.tickets)
        self.ticket_callbacks.restore(past.tail)
        self.ticket_opener = TicketOpener(self.tickets, self.who_called, keeper.queue, self._facts_after)
        self.queue_log = QueueLog(keeper.queues_of, lambda: keeper.floor.rules.priority_worth)
        for recorded in past.tail:
            self.queue_log.rows(recorded)  # written before
        self.own_waits = OwnWaits(queue_log_file(settings))
        board = Board(
            keeper.floor, zone, now(), past.today, self.engine.agents, self.engine.callbacks.values()
        )
        self.feed = Feed(board, now)

        # The telephone side
        self.ami = Ami(_ami_address(settings, secrets))
        self.cel_writer = CelWriter(self.ami, database)
        self.shadow_reader = ShadowReader(
            queue_log_file(settings), settings.data / "queue_log.read", known=self._knows_call,
            tell=lambda fact: self.runner.record(fact), settled=self.ledger.flush,
            waited=self.queue_log.written,
        )  # fmt: skip
        self.shadow_queues = ShadowQueueKeeper(
            self.ami, lambda: self.engine.agents, lambda queue: keeper.queue(queue) is not None,
            on_fetched=self.shadow_reader.ask,
        )  # fmt: skip
        self.lost_calls = LostCalls(
            lambda event: self.runner.post(event), lambda: QueueName(settings.desk.main_queue)
        )
        self.queue_log_writer = QueueLogWriter(
            self.ami, self.queue_log.rows, without_pauses=True, log=queue_log_file(settings)
        )
        self.recording_store = RecordingStore(database)
        self.recordings = Recordings(
            self.recording_store,
            MixMonitorRecorder(self.ami),
            settings.recordings_folder,
            lambda: {queue.name: queue.record for queue in keeper.floor.queues},
            keeper.notice_nodes,
            zone=zone,
            retention=Retention(settings.recordings.days),
        )
        for recorded in past.tail:
            self.recordings.remember(recorded)
        self.flow_versions = versions
        self.notices = Notices(NoticeStore(database), settings.desk.language)
        self.flow_counts = Counts(CountStore(database), zone)
        self.desk_menu, self.desk_voice = DeskMenu(keeper, fallback_voice), MenuVoice(prompts, settings.desk.language)
        versions.join(self.desk_menu, self.desk_voice)
        self.notices.join(self.desk_voice)
        self.emergencies = Emergencies(keeper, self.notices, self.desk_menu.places)
        self.menu_facts = MenuFacts(versions, self.notices, self.flow_counts)
        desk = Desk(
            keeper.numbers, keeper.menu, settings.desk.language,
            dial_plan=self.dial_plan,
            voicemails=VoicemailTickets(self.recordings, self.intake, KnownCallers(self.directory)),
            takes_faxes=settings.pbx.kind == "private",
            survey=self.survey_desk if settings.surveys.after_call else None,
            survey_calls=SurveyInvitations(
                self.surveys, zone, settings.surveys.first_hour, settings.surveys.last_hour,
                calendar=self._hours(settings.surveys.calendar),
            ) if settings.surveys.by_telephone else None,
            standings=CallerStandings(self.directory, self.tickets, self.calls, lambda: keeper.floor),
            menus=self.menu_facts, notices=self.notices,
            admission=Admission(settings.most_callers),
        )  # fmt: skip
        self.faxes = FaxFolder(
            settings.data / "fax",
            FaxTickets(
                self.intake, KnownCallers(self.directory),
                lambda: QueueName(settings.fax.queue or settings.desk.main_queue),
            ),
        )  # fmt: skip
        self.look_ups = MenuLookUps(
            self.tickets, zone,
            further={
                **SelfServiceLookUps(self.directory, self.self_service, self.pin_resets, zone).sources,
                "notice": NoticeLookUps(self.notices).notice,
            },
        )  # fmt: skip
        self.presence = Presence(lambda event: self.runner.post(event))
        self.telephony = Telephony(
            _ari_address(settings, secrets, rest_over_websocket),
            desk=desk,
            voice=prompts,
            look_ups=self.look_ups,
            post=lambda event: self.runner.post(event),
            calls=self.engine,
            shadow=self.shadow_queues,
            helpers=Helpers(
                web=WebLookUps(credentials=web_credentials(settings.data)),
                messengers=self.outbox if post else None, surveys=MenuSurveys(self.surveys),
            ),
            speech=settings.speech.plan(),
            legs_wait=settings.pbx.agents_wait
            and (settings.pbx.kind == "private" or bool(settings.pbx.configuration_folder)),
            most_listeners=settings.music_at_once,
            waits=self.own_waits,
            ends=OwnEnds(queue_log_file(settings)),
        )
        self.transcripts = Transcripts(
            self.intake, self.recording_store, self.recordings,
            self.telephony.recognisers.transcribe
            if self.telephony.recognisers is not None and settings.speech.transcripts else None,
        )  # fmt: skip
        self.intake.tell(self.transcripts.look)
        if self.telephony.recognisers is not None and keeper.flow is not None and asks_by_voice(keeper.flow):
            self.telephony.recognisers.wake()
        self.agent_phones = AgentPhones(
            self.ami, lambda event: self.runner.post(event), keeper.logins, self._phone_is_up,
            has_call=self._has_call,
        )  # fmt: skip
        self.watchdog = Watchdog(self.telephony.reconciler, self.agent_phones.watch)

        # The spine: facts go to the ledger, then to these, in this order; commands go to the switch.
        self.listeners: Sequence[Callable[[Recorded], None]] = (
            FactLog().hear,
            self.screen_pop.hear,
            self.recordings.hear,
            self.ticket_opener.hear,
            self.ticket_callbacks.hear,
            self.feed.hear,
            self.queue_log_writer.hear,
            self.shadow_queues.hear,
            self.lost_calls.hear,
            self.menu_facts.hear,
        )
        self.runner = Runner(
            self.engine, clock, self.telephony.do, self.listeners, past.last_seq + 1, ledger=self.ledger.hear,
            advisers=[self.survey_desk.hear],  # the switch asks it before it hangs up on somebody
            whose=KnownPeople(self.directory).whose,
        )  # fmt: skip
        self.pages_open = asyncio.Event()
        """To be set once pages are answered."""
        self._past_answers = past.tail
        self._lost_unheard = self.lost_calls.restore(past.today)
        keeper.prepare(lambda floor, _flow: self.set_ups.keep_floor(floor))
        keeper.tell([self._floor_changed, self.feed.configure, self._phones_changed, self._tell_of_slips])
        self._tell_of_slips(keeper.floor)

    async def run(self) -> None:
        """Everything that runs, until cancelled; one part's failure ends the service, a call's ends that call."""
        # before the ledger speaks of the floor, and before queue_log is written
        _, waited = await asyncio.gather(self.set_ups.keep_floor(self.keeper.floor), self.own_waits())
        self.queue_log.has_written({call: (wait.queue, wait.since) for call, wait in waited.items()})
        try:
            async with asyncio.TaskGroup() as tasks:
                for part in (
                    self.ledger, self.runner, self.screen_pop, self.recordings, self.ticket_opener, self.feed,
                    self.ami, self.queue_log_writer, self.cel_writer, self.shadow_queues, self.agent_phones,
                    self.telephony, self.watchdog, self.shadow_reader, self.flow_versions, self.notices,
                    self.flow_counts, self.ticket_callbacks, self.emergencies,
                ):  # fmt: skip
                    tasks.create_task(part.run(), name=type(part).__name__)
                for behind in (
                    self.directory.known, self.unanswered, self.outbox, self.expiry, self.transcripts, self.faxes,
                ):  # fmt: skip
                    tasks.create_task(self._run_behind_calls(behind), name=type(behind).__name__)
                self._floor_changed(self.keeper.floor)  # settles what the ledger's last lines left open
                for lost in self._lost_unheard:
                    self.runner.post(lost)
                self.runner.hold_deadlines()
                tasks.create_task(self._count_limits_again(), name="limits")
                tasks.create_task(self.ticket_opener.catch_up(self._past_answers), name="tickets of past answers")
                tasks.create_task(self._settle_recordings(), name="recordings of past calls")
                tasks.create_task(self._miss_desktops(), name="desktops that did not come back")
        finally:
            await self.ledger.flush()
            await self.database.close()

    async def _facts_after(self, seq: int) -> list[Recorded]:
        """All facts after this one, also those that were heard a moment ago."""
        await self.ledger.flush(limit=2.0)
        if self.ledger.spooling:
            raise OSError("the database is away; the ledger waits on disk")
        return await self.ledger.read(seq)

    async def _knows_call(self, call: CallId) -> bool:
        if call in self.engine.calls or self.engine.recently_ended(call):  # perhaps not written yet
            return True
        try:
            return await self.calls.get(call) is not None
        except SQLAlchemyError as trouble:
            raise OSError(f"the database is away: {trouble}") from trouble

    async def _count_limits_again(self) -> None:
        """Once what happened while we were away has been told, or the PBX keeps us waiting for it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIMITS_HELD):
                await self.telephony.reconciler.done.wait()
        self.runner.release_deadlines()

    async def _run_behind_calls(self, part: Running) -> None:
        """What looks through the database at first, and no call waits for: only once calls are routed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIMITS_HELD):
                await self.telephony.reconciler.done.wait()
                await self.caught_up()
        await part.run()

    async def _miss_desktops(self) -> None:
        """Desktops that were open when we went away have had time to come back."""
        await self.pages_open.wait()
        await asyncio.sleep(PAGES_BACK)
        self.presence.look_back(self.engine.agents)

    async def _settle_recordings(self) -> None:
        """Once we know which calls the PBX still has: every recording goes on or gets its end."""
        await self.telephony.reconciler.done.wait()
        while True:
            try:
                await self.recordings.reconcile(set(self.engine.calls))
            except (SQLAlchemyError, OSError) as trouble:  # the database is away: calls go on, this can wait
                logger.warning("the recordings of past calls are not settled yet: %s", trouble)
                await asyncio.sleep(SETTLE_AGAIN)
            else:
                return

    async def ready(self, limit: float = 30.0) -> None:
        """Return once calls can be taken; raises TimeoutError."""
        async with asyncio.timeout(limit):
            await self.ami.wait_connected(2 * limit)  # theirs are other exceptions; ours comes first
            await self.telephony.ari.wait_connected(2 * limit)
            await self.telephony.reconciler.done.wait()

    async def caught_up(self, limit: float = 1.0) -> None:
        """Return once what followed from our absence is carried out, at the latest after so many seconds.

        Phones ring before pages are loaded, which takes a core for a while.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while True:
                    await asyncio.sleep(0.05)  # what was found out has been heard, and more may follow from it
                    if not any(self.telephony.switch.is_busy(call) for call in self.engine.calls):
                        return

    async def close_desk(self, limit: float) -> None:
        """End every call: those who wait first, so that no agent rings for somebody who is about to be sent away.

        Whoever still calls meanwhile is told at once that the desk closes. Returns when all callers are gone, at the
        latest after `limit` seconds.
        """
        last = (CallState.OFFERED, CallState.CONNECTING, CallState.TALKING, CallState.HELD)
        told: set[CallId] = set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while True:
                    for call in sorted(self.engine.calls.values(), key=lambda one: one.state in last):
                        if call.call not in told:
                            told.add(call.call)
                            self.runner.post(DeskClosed(call.call))
                    if not (self.engine.calls or self.telephony.inbound.callers or self.telephony.switch.legs):
                        break
                    await asyncio.sleep(0.05)
        await self.recordings.settle()

    def _phone_is_up(self, agent: AgentId) -> bool:
        view = self.engine.agents.get(agent)
        return view is not None and view.phone_reachable

    def _has_call(self, agent: AgentId) -> bool:
        view = self.engine.agents.get(agent)
        return view is not None and (view.call is not None or view.offer is not None)

    def _hours(self, name: str) -> Callable[[], Calendar | None]:
        """The opening hours of this name as the menu in force has them; None without such."""

        def hours() -> Calendar | None:
            flow = self.keeper.flow
            return flow.calendars.get(name) if flow is not None else None

        return hours

    def _queue_title(self, name: str) -> str:
        queue = self.keeper.queue(QueueName(name))
        return queue.title if queue is not None else name

    def dial_plan(self) -> DialPlan:
        """What may be dialled now."""
        desk = self.settings.desk
        queues = (queue.number for queue in self.keeper.floor.queues if queue.number)
        return self.settings.outside.plan(desk.extensions, (desk.number, *desk.other_numbers, *queues))

    def _tell_of_slips(self, floor: Floor) -> None:
        if self.keeper.flow is not None:
            tell_of_missing_hours(
                self.settings.messages.alert_hours, self.settings.surveys.calendar, self.keeper.flow.calendars
            )
        for queue, to, why in unreachable_destinations(self.dial_plan(), floor):
            logger.warning("queue %s leads to %s, which is not dialled: %s", queue, to, " · ".join(NOT_DIALLED[why]))

    def _floor_changed(self, floor: Floor) -> None:
        self.runner.configure(floor, self.keeper.emergency, *self.keeper.order)

    def _phones_changed(self, _floor: Floor) -> None:
        self.agent_phones.look_again()
        self.shadow_queues.compare_all()

class Past:
    """What the ledger says when the service starts."""

    def __init__(
        self, tail: Sequence[Recorded], today: Sequence[Recorded], last_seq: int, last_at: float, next_offer: int
    ) -> None:
        self.tail = tail
        self.today = today
        self.last_seq = last_seq
        self.last_at = last_at
        self.next_offer = next_offer

    @classmethod
    async def read(cls, ledger: Ledger, zone: ZoneInfo) -> "Past":
        """Read it, after what was spooled has been brought in."""
        await ledger.recover()
        midnight = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        tail = await ledger.recovery_tail()
        earlier = [recorded for recorded in tail if recorded.at < midnight.timestamp()]
        return cls(
            tail,
            [*earlier, *await ledger.read(since=midnight.timestamp())],
            await ledger.last_seq(),
            await ledger.last_at(),
            await ledger.last_offer() + 1,
        )


def _ari_address(settings: Settings, secrets: GeneratedSecrets, rest_over_websocket: bool) -> AriAddress:
    access = ari_access(settings, secrets)
    url = urlsplit(access.url)
    tls = url.scheme == "https"
    assert url.hostname is not None
    return AriAddress(
        url.hostname, url.port or (443 if tls else 80), access.user, access.password, tls=tls,
        rest_over_websocket=rest_over_websocket,
    )  # fmt: skip


def _ami_address(settings: Settings, secrets: GeneratedSecrets) -> AmiAddress:
    access = ami_access(settings, secrets)
    return AmiAddress(access.host, access.port, access.user, access.password)
