"""A new PIN finds its owner: who is meant by two numbers, and where the directory says that a message reaches them."""

import logging
from typing import TYPE_CHECKING

from changgu.directory.numbers import NumberKind
from changgu.directory.person import CERTAIN, PersonCard
from changgu.directory.service import Directory
from changgu.ground.trouble import Conflict, Trouble
from changgu.telephony.ivr_messages import MaybeSent, NotSent
from changgu.ticketing.outbox.outgoing import TakenLater
from changgu.ticketing.outbox.service import Post
from changgu.ticketing.self_service.resets.limits import ONE_TIME_FOR, SentTo, covered

if TYPE_CHECKING:
    from changgu.app.settings import DeskSettings

logger = logging.getLogger(__name__)

HOURS = int(ONE_TIME_FOR.total_seconds() // 3600)
SUBJECTS = {"ko": "일회용 비밀번호", "en": "Your one-time PIN"}
TEXTS = {
    "ko": "[{desk}] 일회용 비밀번호 {pin}. {hours}시간 안에 한 번 쓸 수 있습니다. "
    "요청하지 않으셨다면 {number}번으로 알려 주십시오.",
    "en": "[{desk}] Your one-time PIN is {pin}, good once within {hours} hours. Not asked for? Tell us at {number}.",
}


class RegisteredPeople:
    """Answers `ticketing.self_service.resets.service.Registered`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def by_numbers(self, employee: str, mobile: str) -> int | None:
        """The one person with this 사번 whose mobile number this is."""
        canonical = self._directory.numbering.canonical(mobile)
        if canonical is None:
            return None
        person = await self._directory.by_employee_number(employee)
        return person.id if person is not None and canonical in _mobiles(person) else None


class MessagedPins:
    """SMS to the person's own mobile, else mail to their address. Answers `…resets.service.PinPost`."""

    def __init__(self, directory: Directory, messages: Post, desk: "DeskSettings") -> None:
        self._directory = directory
        self._messages = messages
        self._desk = desk

    async def deliver(self, person: int, pin: str) -> SentTo:
        """By the first way that takes it, or that may have; raises what the last one said, `TakenLater` if one did."""
        card = await self._directory.get(person)
        ways = [("sms", number) for number in _mobiles(card)[:1]] + ([("mail", card.email)] if card.email else [])
        refused: Trouble = Conflict(
            "등록된 휴대전화 번호도 메일 주소도 없습니다.",
            "the directory has neither a mobile number nor a mail address",
        )
        language = self._desk.language
        text = TEXTS[language].format(desk=self._desk.name, pin=pin, hours=HOURS, number=self._desk.number)
        for way, to in ways:
            before = refused
            try:
                receipt = await self._messages.send(way, to, text, SUBJECTS[language])
            except MaybeSent as doubt:  # it may be read: then it has to be good, and a second one is one too many
                logger.warning("a PIN for person %d may have gone out by %s: %s %s", person, way, doubt.ko, doubt.en)
                return self._sent(way, to)
            except Trouble as trouble:
                refused = trouble
            except Exception as trouble:  # the other system's edge: the next way, and the old PIN stays
                name = type(trouble).__name__
                refused = NotSent(f"보내지 못했습니다({name}).", f"it could not be sent ({name})")
            else:
                return self._sent(way, to, receipt)
            logger.warning("a PIN for person %d was not sent by %s: %s %s", person, way, refused.ko, refused.en)
            if isinstance(before, TakenLater):
                refused = before
        raise refused

    def _sent(self, way: str, to: str, receipt: str = "") -> SentTo:
        return SentTo(way, covered(self._directory.numbering.display(to) if way == "sms" else to), receipt)


def _mobiles(person: PersonCard) -> list[str]:
    """Their own, and certain: a number that somebody once called from, or that others have too, gets no PIN."""
    return [
        number.canonical for number in person.numbers
        if number.kind is NumberKind.MOBILE and number.confidence >= CERTAIN and not number.shared
    ]  # fmt: skip
