"""What the menu's versions, notices and counts ask of the desk, and what the desk's facts tell them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from changgu.acd.facts import (
    GAVE_UP,
    CallAnswered,
    CallEnded,
    CallQueued,
    Fact,
    MenuStepTaken,
    Outcome,
    Recorded,
)
from changgu.acd.identity import CallId
from changgu.acd.queues import Floor
from changgu.app.floor_keeper import FloorKeeper
from changgu.app.voices import nameless_sentences, spoken_languages
from changgu.ground.database import moment
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import Report
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.opening_hours import Calendar
from changgu.ivr_flows.publishing.callers.service import Counts, Notices
from changgu.ivr_flows.publishing.counts import End
from changgu.ivr_flows.publishing.notices import DESK, NOTICE_ID, QUEUE, SERVICE, marked
from changgu.ivr_flows.publishing.service import FlowVersions
from changgu.telephony.speech.prompts import PromptStore
from changgu.telephony.speech.synthesiser import SpeechTrouble

logger = logging.getLogger(__name__)

LONGEST_SPEECH = 20.0
"""Seconds that a supervisor waits for the sound of a sentence."""

ENDS = {
    Outcome.SELF_SERVED: End.CONTAINED,
    Outcome.ABANDONED_IN_MENU: End.HUNG_UP,
    Outcome.LOST: End.FAILED,
    Outcome.REFUSED: End.FAILED,
}
"""What an outcome means for somebody who was in the menu; every other one: they were led elsewhere."""


class DeskMenu:
    """The desk's set-up for those who publish. Answers `ivr_flows.publishing.service.OnAir`."""

    def __init__(self, keeper: FloorKeeper, fallback_voice: str = "") -> None:
        """`fallback_voice`: what is to be said of the voice that callers hear, when it is the fallback."""
        self._keeper = keeper
        self.fallback_voice = fallback_voice

    async def report(self, menu: MenuSet, file: str) -> Report:
        """What is wrong with a menu on this desk."""
        return await self._keeper.menu_report(menu, file)

    async def take_up(self) -> bool:
        """Put what is wanted on the air."""
        return await self._keeper.reload()

    def places(self) -> list[str]:
        """Where notices can be heard: the whole desk, every queue, every place of the menu on the air."""
        nodes = self._keeper.flow.nodes if self._keeper.flow is not None else {}
        return [
            DESK,
            *(QUEUE + queue.name for queue in self._keeper.floor.queues),
            *(SERVICE + node for node in nodes),
        ]

    def sentences(self) -> Mapping[str, Mapping[str, str]]:
        """Language → prompt name → sentence, the desk's own among them."""
        return self._keeper.sentences()

    def titles(self) -> dict[str, str]:
        """Queues by name, as people call them."""
        return {queue.name: queue.title for queue in self._keeper.floor.queues}


class MenuVoice:
    """Speaks with the voice that callers hear. Answers `ivr_flows.publishing.service.Sounds`."""

    def __init__(self, prompts: PromptStore, language: str) -> None:
        self._prompts = prompts
        self._language = language

    async def prepare(self, flow: Flow) -> Sequence[str]:
        """Make what a menu says."""
        languages = spoken_languages(flow, self._language)
        prepared = await self._prompts.prepare(
            languages, nameless_sentences(flow, Floor(), languages, self._prompts.sentences)
        )
        return list(prepared.failed)

    async def speak(self, text: str, language: str) -> bytes | None:
        """One sentence; kept, so that it is there when it is said to callers."""
        try:
            async with asyncio.timeout(LONGEST_SPEECH):
                return await asyncio.to_thread((await self._prompts.speak(text, language)).read_bytes)
        except (SpeechTrouble, OSError, TimeoutError) as trouble:
            logger.warning("a sentence cannot be spoken: %s", trouble)
            return None


class NoticeLookUps:
    """What is on the air, for menus that ask (`look_up` with the source `notice`, TEC-04)."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    async def notice(self, key: str, _asker: str, _call: CallId | None) -> Mapping[str, str] | None:
        """The latest notice of a queue, a node or the whole desk (`network en`); None when nothing is on the air there.

        Its sentence was spoken when it went on the air, so nobody waits for a voice. `count`: how many there are.
        """
        name, _, language = key.strip().partition(" ")
        places = (name,) if name == DESK or ":" in name else (QUEUE + name, SERVICE + name)
        found = sorted(
            {one.id: one for place in places for one in self._notices.now(place)}.values(),
            key=lambda one: (one.starts_at, one.id),
        )
        if not found:
            return None
        _, text = found[-1].in_language(language.strip() or self._notices.language, self._notices.language)
        return {"text": text, "count": str(len(found)), NOTICE_ID: str(found[-1].id)}


ABOUT_THE_MENU = (MenuStepTaken, CallQueued, CallAnswered, CallEnded)


class MenuFacts:
    """Facts of the floor, as those who look after the menu understand them; one of `Service.listeners`."""

    def __init__(self, versions: FlowVersions, notices: Notices, counts: Counts) -> None:
        self._versions = versions
        self._notices = notices
        self._counts = counts
        self._answered: set[CallId] = set()

    def flow_of(self, call: CallId, dialled: str) -> Flow:
        """Answers `telephony.inbound.Menus`."""
        return self._versions.begin(call, dialled).flow

    def hear(self, recorded: Recorded) -> None:
        """Take note of one fact; never waits."""
        fact: Fact = recorded.fact
        if not isinstance(fact, ABOUT_THE_MENU):
            return
        at = moment(recorded.at)
        match fact:
            case MenuStepTaken(call=call, node=node):
                notice = marked(node)
                serving = self._versions.of(call)
                if notice is not None:
                    self._notices.heard(call, notice, at)
                elif serving is not None:
                    self._counts.reached(call, serving, node, at)
            case CallQueued(call=call):
                self._counts.handed_over(call, at)
            case CallAnswered(call=call):
                self._answered.add(call)
            case CallEnded(call=call, outcome=outcome):
                self._counts.ended(call, ENDS.get(outcome, End.ELSEWHERE), at)
                answered = call in self._answered
                in_menu = outcome in (Outcome.ABANDONED_IN_MENU, Outcome.SELF_SERVED)
                self._notices.ended(
                    call, at, in_menu=in_menu and not answered, in_queue=outcome in GAVE_UP and not answered
                )
                self._versions.forget(call)
                self._answered.discard(call)
            case _:
                return


def tell_of_missing_hours(alert_hours: str, calendar: str, known: Mapping[str, Calendar]) -> None:
    """One warning when settings name opening hours that the menu in force does not have: a slip changes what is meant.

    `alert_hours` and `calendar` as in the settings `messages.alert_hours` and `surveys.calendar`.
    """
    named = {
        f'messages.alert_hours = "{alert_hours}" (밤낮없이 셉니다 · counts day and night)': alert_hours,
        f'surveys.calendar = "{calendar}" (월~금 · from Monday to Friday)': calendar,
    }
    missing = [said for said, name in named.items() if name and name not in known]
    if missing:
        logger.warning("그런 근무시간표가 없습니다 · there are no such opening hours: %s", "; ".join(missing))
