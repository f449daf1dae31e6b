"""The telephones of a room on the real PBX: agents' and callers', each with a tone of its own."""

from pathlib import Path

from changgu.acd.identity import AgentId
from changgu.asterisk_conf.plan import PbxPlan
from changgu.telephony.soft_phone import SoftPhones
from tests.support.private_pbx import SECRET
from tests.support.telephone_room import DESK_NUMBER
from tests.support.tones import AGENT_HERTZ, CALLER_HERTZ, tone_seconds, write_tone
from tests.support.waiting import eventually


class Phones:
    """The agents' and the callers' telephones."""

    def __init__(self, soft: SoftPhones, plan: PbxPlan, folder: Path) -> None:
        self.soft = soft
        self.folder = folder
        self._server = f"127.0.0.1:{plan.sip_port}"
        self._agent_tone = write_tone(folder / "agent.wav", AGENT_HERTZ)
        self._caller_tone = write_tone(folder / "caller.wav", CALLER_HERTZ)

    async def agent(self, login: AgentId, *, answer_after: float | None = 0.2) -> None:
        await self.soft.account(
            login, self._server, user=f"agent-{login}", password=SECRET, register=True, answer_after=answer_after,
            play=self._agent_tone, record=self.folder,
        )  # fmt: skip

    async def caller(self, call: str, number: str = DESK_NUMBER, *, user: str = "01012345678") -> None:
        await self.soft.account(
            f"line-{call}", self._server, user=user, name="김민수", play=self._caller_tone, record=self.folder
        )
        await self.soft.call(f"line-{call}", call, f"sip:{number}@{self._server}")

    async def press(self, call: str, digits: str) -> None:
        await self.soft.order(do="dtmf", call=call, digits=digits)

    async def hang_up(self, call: str) -> None:
        await self.soft.order(do="hang_up", call=call)

    async def ended(self, call: str) -> None:
        await self.soft.expect("ended", call=call)

    async def hears(self, call: str, hertz: float, seconds: float) -> None:
        """So much of a tone has been heard in a call, which may have been over for a moment: a phone writes it late."""
        file = self.folder / f"{call}.wav"

        async def enough() -> bool:
            return file.exists() and tone_seconds(file, hertz) >= seconds

        try:
            await eventually(enough)
        except AssertionError:
            heard = tone_seconds(file, hertz) if file.exists() else None
            raise AssertionError(f"{call} heard {heard} s of {hertz} Hz, not {seconds}") from None
