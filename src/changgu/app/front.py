"""What people and programs see of the desk: every page and the API, put together over the running service.

Apart from `assembly`, because calls need none of it: it is imported once calls are routed.
"""

import asyncio
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from changgu import __version__
from changgu.acd import api as call_api
from changgu.acd import pages as call_pages
from changgu.acd.agents import api as agent_api
from changgu.acd.api import CallDesk
from changgu.acd.emergencies import api as emergency_api
from changgu.acd.events import AgentSignedOut
from changgu.acd.explain import Unserved
from changgu.acd.identity import AgentId, CallId
from changgu.acd.queues import Floor
from changgu.acd.why import api as why_api
from changgu.acd.why import pages as why_pages
from changgu.acd.why.service import Explainer
from changgu.acd.worklist import api as callback_api
from changgu.acd.worklist import pages as callback_pages
from changgu.acd.worklist.api import Worklist
from changgu.acd.worklist.store import CallbackHistory
from changgu.app import pages as account_pages
from changgu.app.access import AccessGate
from changgu.app.assembly import Service
from changgu.app.floor_changes import FloorChanges
from changgu.app.page_joins import CallbackNumbers, CallLinks, PersonPast, TicketCalls, WrittenDown
from changgu.app.rendering import SitePages
from changgu.app.web import Health, build_app
from changgu.asterisk_conf.plan import endpoint_name
from changgu.directory import api as people_api
from changgu.directory import pages as people_pages
from changgu.ivr_flows.publishing import api as flow_api
from changgu.ivr_flows.publishing import pages as flow_pages
from changgu.ivr_flows.publishing.comparison import api as comparison_api
from changgu.ivr_flows.publishing.hours import api as hours_api
from changgu.recordings import api as recording_api
from changgu.recordings import pages as recording_pages
from changgu.recordings.api import Listening
from changgu.screenpop import api as phone_api
from changgu.screenpop import pages as desk_pages
from changgu.screenpop.api import SipAccount
from changgu.screenpop.desktop import build_desktop
from changgu.screenpop.visitor import VisitorPhone
from changgu.telephony import api as trace_api
from changgu.telephony import pages as trace_pages
from changgu.telephony.api import Tracing
from changgu.telephony.phone_proxy import build_phone_proxy
from changgu.ticketing import api as ticket_api
from changgu.ticketing import pages as ticket_pages
from changgu.ticketing.first_contact import api as first_contact_api
from changgu.ticketing.first_contact import pages as first_contact_pages
from changgu.ticketing.first_contact.service import FirstContacts
from changgu.ticketing.intake import api as message_api
from changgu.ticketing.intake import pages as message_pages
from changgu.ticketing.outbox import api as outgoing_api
from changgu.ticketing.outbox import pages as outgoing_pages
from changgu.ticketing.self_service import api as pin_api
from changgu.ticketing.self_service import pages as pin_pages
from changgu.ticketing.self_service.resets import pages as own_pin_pages
from changgu.ticketing.surveys import api as survey_api
from changgu.ticketing.surveys import pages as survey_pages
from changgu.wallboard import api as wallboard_api
from changgu.wallboard import pages as wallboard_pages

VISITOR_PHONES = {
    "off": VisitorPhone.OFF,
    "loopback": VisitorPhone.LOOPBACK,
    "everywhere": VisitorPhone.EVERYONE,
}
VISITOR_ENDPOINT = "visitor"


def build_front(service: Service) -> FastAPI:
    """The web application of a service. Touches no loop: it may be built in a thread."""
    settings, keeper, database = service.settings, service.keeper, service.database
    zone = ZoneInfo(settings.desk.time_zone)
    clerk = _Clerk(service)
    gate = AccessGate(service.accounts, public_origin=settings.web.public_origin or None)
    pages = SitePages(zone=settings.desk.time_zone, language=settings.desk.language, site=settings.desk.name)
    links = CallLinks(service.directory, service.identified, service.tickets)

    def waits(call: CallId) -> tuple[Unserved, Floor] | None:
        found = service.engine.unserved(call, service.runner.now())
        return None if found is None else (found, keeper.floor)

    explainer = Explainer(service.set_ups, service.floor_store.load_floor, waits)
    call_desk = CallDesk(service.calls, service.ledger, keeper, links, service.engine)
    worklist = Worklist(
        service.engine, CallbackHistory(database), keeper, WrittenDown(service.runner, service.ledger),
        CallbackNumbers(service.dial_plan, service.directory),
    )  # fmt: skip
    visitor = VISITOR_PHONES[settings.visitor_phone.enabled]
    person_past = PersonPast(service.calls, service.identified, service.tickets, lambda: keeper.floor)
    contacts = FirstContacts(database, service.calls, service.directory, lambda: keeper.floor)
    listening = Listening(service.recording_store, service.recordings.file_of)
    trace = Tracing(
        service.calls, service.cel_writer.store, service.cel_writer.flush, asks=settings.surveys.after_call
    )
    return build_app(
        version=__version__,
        gate=gate,
        pages=pages,
        health=clerk,
        routers=[
            account_pages.build_pages(gate, pages, service.accounts, clerk.shut_out),
            call_api.build_router(gate, call_desk, keeper, service.engine, service.runner),
            agent_api.build_router(
                gate, service.floor_store, service.engine, service.runner, FloorChanges(service.floor_store, keeper)
            ),
            emergency_api.build_router(gate, service.emergencies),
            callback_api.build_router(gate, worklist),
            callback_pages.build_pages(gate, pages, worklist, keeper, zone),
            call_pages.build_pages(
                gate, pages, call_desk, keeper, zone,
                {slots.SLOT: slots.SLOT_ROLE for slots in (why_pages, recording_pages, trace_pages)},
                keeper.node_title,
            ),
            why_api.build_router(gate, call_desk, explainer),
            why_pages.build_pages(gate, pages, call_desk, explainer),
            recording_api.build_router(gate, listening),
            recording_pages.build_pages(gate, pages, listening),
            trace_api.build_router(gate, trace),
            trace_pages.build_pages(gate, pages, trace),
            people_api.build_router(gate, service.directory),
            people_pages.build_pages(gate, pages, service.directory, person_past, person_past.tickets),
            ticket_api.build_router(gate, service.tickets, service.who_called),
            ticket_pages.build_pages(
                gate, pages, service.tickets, service.who_called, service.directory, zone, keeper.names,
                TicketCalls(service.calls, lambda: keeper.floor), service.intake, service.surveys,
                service.self_service,
            ),
            first_contact_api.build_router(gate, contacts),
            first_contact_pages.build_pages(gate, pages, contacts),
            outgoing_api.build_router(gate, service.outbox),
            outgoing_pages.build_pages(gate, pages, service.outbox),
            message_api.build_router(gate, service.intake),
            message_pages.build_pages(gate, pages, service.intake, service.outbox.failed_lately),
            pin_api.build_router(gate, service.self_service, service.pin_resets),
            pin_pages.build_pages(gate, pages, service.self_service, service.pin_resets),
            own_pin_pages.build_pages(pages, service.self_service, service.pin_resets, settings.web.pin_page),
            survey_api.build_router(gate, service.surveys),
            survey_pages.build_pages(gate, pages, service.surveys),
            phone_api.build_router(gate, service.screen_pop, clerk.sip_account),
            build_desktop(gate, service.screen_pop, service.runner.ask, service.telephony.control, service.presence),
            desk_pages.build_pages(
                gate, pages, visitor=visitor, visitor_account=clerk.visitor_account, desk_number=settings.desk.number
            ),
            build_phone_proxy(gate, settings.phone_socket, visitor),
            wallboard_api.build_router(gate, service.feed),
            wallboard_pages.build_pages(gate, pages),
            flow_api.build_router(
                gate, service.flow_versions, service.notices, service.flow_counts, service.desk_menu
            ),
            comparison_api.build_router(gate, service.flow_versions),
            hours_api.build_router(gate, service.flow_versions, lambda: str(service.settings.desk.time_zone)),
            flow_pages.build_pages(gate, pages, service.flow_versions, service.desk_menu),
        ],
    )  # fmt: skip


class _Clerk:
    """What pages ask of the whole desk."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self) -> Health:
        """Whether the parts are up that calls need."""
        service = self._service
        return Health(
            pbx_connected=service.telephony.connected and service.ami.connected,
            pbx_version=service.telephony.version,
            database=await self._database_answers(),
        )

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(2), self._service.database.transaction() as session:
                await session.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError, TimeoutError):
            return False
        return not self._service.ledger.spooling

    async def shut_out(self, login: str) -> None:
        """Whoever may not sign in any more gets no calls either, once the present one is over."""
        if login in self._service.keeper.logins():
            await self._service.runner.ask(AgentSignedOut(AgentId(login)))

    async def sip_account(self, agent: AgentId) -> SipAccount | None:
        """With what an agent's browser registers."""
        if agent not in self._service.keeper.logins():
            return None
        return SipAccount(endpoint_name(agent), await self._service.floor_store.sip_password(agent))

    async def visitor_account(self) -> SipAccount:
        """With what a visitor's browser registers."""
        return SipAccount(VISITOR_ENDPOINT, self._service.secrets.visitor_sip_secret)
