"""Asks somebody on the line the four questions of FORM-3 by keys 1 to 5; whoever says nothing is kept as none."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from changgu.acd.identity import CallId
from changgu.ivr_flows.nodes import NamedPrompt, Prompt
from changgu.ivr_flows.session import DigitsGathered, WaitDigits
from changgu.telephony.ari.errors import AriTrouble
from changgu.telephony.handset import Handset
from changgu.telephony.ivr_player import IvrPlayer

logger = logging.getLogger(__name__)

QUESTIONS = ("promptness", "accuracy", "kindness", "overall")
"""In the order of the form; each is asked with the prompt `survey_<name>`."""
SCORES = "12345"
ONE_SCORE = WaitDigits(1, 6.0, 1.0, ends_at_once="")
ASKED = 2
"""How often a question is put to somebody who presses a key that is no score."""
SILENCES = 2
"""Questions in a row without a key, after which nobody is asked further."""


class Answers(Protocol):
    """Keeps the answers."""

    async def answer(self, call: CallId, case: str, question: str, score: int | None) -> None:
        """One answer; None is 무응답. Raises when it cannot be kept, or the case has been answered."""
        ...


class AfterCall(Answers, Protocol):
    """Knows whom to ask when their conversation is over."""

    def wants(self, call: CallId) -> bool:
        """Whether this caller is to be asked; at once, and True no more than once for a call."""
        ...

    async def case_of(self, call: CallId) -> str | None:
        """What they are asked about; None when that has been answered."""
        ...


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody who is to be called for the survey."""

    ticket: str
    number: str


class Invitations(Answers, Protocol):
    """Knows who is to be called."""

    async def next(self) -> Invitation | None:
        """Whoever is to be called now, by the hours of the site; None: nobody."""
        ...

    async def called(self, ticket: str, *, reached: bool) -> None:
        """Somebody was called: who was reached is not called again, whatever they answered."""
        ...


class SurveyAsker:
    """Puts the questions to one person after the other."""

    def __init__(self, player: IvrPlayer, language: str, one_score: WaitDigits = ONE_SCORE) -> None:
        self._player = player
        self._one_score = one_score
        self._language = language

    async def after_call(self, handset: Handset, desk: AfterCall) -> None:
        """Ask a caller whose conversation is over; what goes wrong ends the questions and nothing else."""
        call = handset.call
        try:
            case = await desk.case_of(call)
            if case is not None:
                await self.ask(handset, case, (NamedPrompt("survey_intro"),), desk)
        except AriTrouble as trouble:
            logger.info("a caller left during the survey: %s", trouble, extra={"call_id": call})
        except Exception:  # one caller's edge: they are hung up on like any other
            logger.exception("a caller could not be asked the survey", extra={"call_id": call})

    async def ask(self, handset: Handset, case: str, before: Sequence[Prompt], answers: Answers) -> int:
        """Say `before`, then ask; how many questions were answered. All that were not are kept as none."""
        asked = dict.fromkeys(QUESTIONS, False)
        silences = answered = 0
        try:
            await self._player.say(handset, before, self._language, interruptible=True)
            for question in QUESTIONS:
                score = await self._score(handset, question)
                await answers.answer(handset.call, case, question, score)
                asked[question] = True
                answered += score is not None
                silences = 0 if score is not None else silences + 1
                if silences == SILENCES:
                    break
        finally:
            for question in (one for one, was_asked in asked.items() if not was_asked):
                await answers.answer(handset.call, case, question, None)
        if answered:
            await self._player.say(handset, (NamedPrompt("survey_thanks"),), self._language, interruptible=False)
        return answered

    async def _score(self, handset: Handset, question: str) -> int | None:
        for _ in range(ASKED):
            prompts = (NamedPrompt(f"survey_{question}"),)
            pressed = await self._player.ask(handset, prompts, self._language, self._one_score)
            if not isinstance(pressed, DigitsGathered) or not pressed.digits:
                return None
            if pressed.digits in SCORES:
                return int(pressed.digits)
            await self._player.say(handset, (NamedPrompt("wrong_key"),), self._language, interruptible=True)
        return None
