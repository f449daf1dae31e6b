"""What a caller hears before the desk ends their call."""

from collections.abc import Mapping

from changgu.acd.commands import Farewell
from changgu.ivr_flows.nodes import TextPrompt

FAREWELLS: Mapping[str, Mapping[Farewell, TextPrompt]] = {
    "ko": {
        Farewell.DESK_CLOSED: TextPrompt("지금은 상담 시간이 아닙니다. 상담 시간에 다시 전화해 주십시오."),
        Farewell.NO_SUCH_QUEUE: TextPrompt("죄송합니다. 지금은 전화를 받을 수 없습니다. 잠시 후 다시 걸어 주십시오."),
        Farewell.ERROR: TextPrompt("죄송합니다. 장애가 생겨 통화를 계속할 수 없습니다. 잠시 후 다시 걸어 주십시오."),
    },
    "en": {
        Farewell.DESK_CLOSED: TextPrompt("We are closed now. Please call again during service hours."),
        Farewell.NO_SUCH_QUEUE: TextPrompt("We are sorry that we cannot take this call now. Please call again later."),
        Farewell.ERROR: TextPrompt("We are sorry: something went wrong. Please call again in a moment."),
    },
}
"""By language; `Farewell.NONE` says nothing. Synthesised at the start, like every fixed prompt."""


def farewell_prompts(language: str, farewell: Farewell) -> tuple[TextPrompt, ...]:
    """What to say, possibly nothing."""
    said = FAREWELLS.get(language, FAREWELLS["ko"]).get(farewell)
    return () if said is None else (said,)


def fixed_sentences(language: str) -> tuple[str, ...]:
    """Every sentence that may have to be said without notice, for the synthesiser's warm-up."""
    return tuple(prompt.text for prompt in FAREWELLS.get(language, FAREWELLS["ko"]).values())
