"""The options of calls that the desk makes itself: over which line, to whom, and how many at once."""

from collections.abc import Collection
from typing import Annotated, Self

from pydantic import Field, model_validator

from changgu.app.settings_group import Group, option
from changgu.app.settings_words import UnusableValue
from changgu.telephony.dial_plan import PLACE_OF_NUMBER, DialPlan


class OutsideSettings(Group):
    """Calls that the desk makes itself: call-backs, and queues that lead to an outside number. Without a line, none."""

    trunk: str = option(
        "", "밖으로 거는 회선: sip.trunks의 이름", "The line to dial out by: a name of sip.trunks", example="carrier"
    )
    contact: str = option(
        "",
        "그 회선이 전화를 받는 SIP 주소",
        "The SIP address at which it takes our calls",
        example="sip:203.0.113.5:5060",
    )
    user: str = option("", "그 회선이 요구하는 사용자 이름", "The user it asks for, if it does")
    password: str = option("", "그 사용자의 비밀번호", "That user's password")
    dial: str = option(
        "",
        "기존 Asterisk가 바깥 번호에 거는 방법. 내장 PBX에서는 비워 두십시오",
        "How an existing Asterisk reaches an outside number; leave it empty with the private PBX",
        example="PJSIP/{number}@trunk-carrier",
    )
    dial_extensions: str = option(
        "",
        "내선번호에 거는 방법. 비우면 내선에는 걸지 않습니다",
        "How an internal extension is reached; empty: extensions are not dialled",
        example="PJSIP/{number}@trunk-office",
    )
    allow: tuple[str, ...] = option(
        (), "더 걸 수 있게 할 번호의 앞부분", "Beginnings of further numbers that may be dialled", example=["050", "+1"]
    )
    deny: tuple[str, ...] = option(
        (), "걸지 못하게 할 번호의 앞부분", "Beginnings of numbers that may not be dialled", example=["070"]
    )
    most_at_once: Annotated[int, Field(ge=0, le=1000)] = option(
        10,
        "바깥 번호로 동시에 이어 주는 발신자 수. 넘으면 제자리에서 계속 기다립니다. 0이면 아무도 이어 주지 않습니다",
        "Callers put through to outside numbers at one time; one more goes back to their place; 0: nobody is",
    )

    @property
    def line(self) -> str:
        """The dial string for outside numbers; empty without a line."""
        return self.dial or (f"PJSIP/{PLACE_OF_NUMBER}@trunk-{self.trunk}" if self.trunk and self.contact else "")

    def plan(self, extensions: str, own: Collection[str] = ()) -> DialPlan:
        """What may be dialled; raises ValueError for rules that cannot be followed."""
        return DialPlan(
            self.line, extensions, self.dial_extensions, self.allow, self.deny, frozenset(own), self.most_at_once
        )

    @model_validator(mode="after")
    def _can_be_dialled(self) -> Self:
        if bool(self.trunk) != bool(self.contact):
            raise UnusableValue(
                "outside.trunk와 outside.contact는 함께 쓰십시오", "outside.trunk and outside.contact go together"
            )
        if bool(self.user) != bool(self.password):
            raise UnusableValue(
                "outside.user와 outside.password는 함께 쓰십시오", "outside.user and outside.password go together"
            )
        try:
            self.plan("")
        except ValueError as trouble:
            raise UnusableValue(f"outside: {trouble}", f"outside: {trouble}") from None
        return self
