"""What a caller hears before the desk ends their call, or while it is away."""

from collections.abc import Mapping

from changgu.acd.commands import Farewell
from changgu.ivr_flows.nodes import TextPrompt

FAREWELLS: Mapping[str, Mapping[Farewell, TextPrompt]] = {
    "ko": {
        Farewell.DESK_CLOSED: TextPrompt("지금은 상담 시간이 아닙니다. 상담 시간에 다시 전화해 주십시오."),
        Farewell.NO_SUCH_QUEUE: TextPrompt("죄송합니다. 지금은 전화를 받을 수 없습니다. 잠시 후 다시 걸어 주십시오."),
        Farewell.QUEUE_FULL: TextPrompt("죄송합니다. 지금은 대기하시는 분이 많습니다. 잠시 후 다시 걸어 주십시오."),
        Farewell.NOBODY_HERE: TextPrompt("죄송합니다. 지금은 상담원이 자리에 없습니다. 잠시 후 다시 걸어 주십시오."),
        Farewell.WAITED_TOO_LONG: TextPrompt(
            "오래 기다리게 해 드려 죄송합니다. 지금은 상담원을 연결할 수 없습니다. 잠시 후 다시 걸어 주십시오."
        ),
        Farewell.ERROR: TextPrompt("죄송합니다. 장애가 생겨 통화를 계속할 수 없습니다. 잠시 후 다시 걸어 주십시오."),
    },
    "en": {
        Farewell.DESK_CLOSED: TextPrompt("We are closed now. Please call again during service hours."),
        Farewell.NO_SUCH_QUEUE: TextPrompt("We are sorry that we cannot take this call now. Please call again later."),
        Farewell.QUEUE_FULL: TextPrompt("We are sorry: too many callers are waiting now. Please call again later."),
        Farewell.NOBODY_HERE: TextPrompt("We are sorry: nobody is here to take your call. Please call again later."),
        Farewell.WAITED_TOO_LONG: TextPrompt(
            "We are sorry that you waited so long, and that we cannot connect you now. Please call again later."
        ),
        Farewell.ERROR: TextPrompt("We are sorry: something went wrong. Please call again in a moment."),
    },
}
"""By language; `Farewell.NONE` says nothing. Synthesised at the start, like every fixed prompt."""


AWAY: Mapping[str, TextPrompt] = {
    "ko": TextPrompt("자동응답이 점검 중입니다. 상담원을 연결합니다."),
    "en": TextPrompt("Our menu is not available now. We are connecting you to an agent."),
}
"""What the plain queues say, which take callers over while changgu is away. Short: no agent rings before it is said."""


def away_prompt(language: str) -> TextPrompt:
    """Why there is no menu, for whoever is put into a plain queue."""
    return AWAY.get(language, AWAY["ko"])


def farewell_prompts(language: str, farewell: Farewell) -> tuple[TextPrompt, ...]:
    """What to say, possibly nothing."""
    said = FAREWELLS.get(language, FAREWELLS["ko"]).get(farewell)
    return () if said is None else (said,)


def fixed_sentences(language: str) -> tuple[str, ...]:
    """Every sentence that may have to be said without notice, for the synthesiser's warm-up."""
    said = (*FAREWELLS.get(language, FAREWELLS["ko"]).values(), away_prompt(language))
    return tuple(prompt.text for prompt in said)
