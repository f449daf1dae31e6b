"""What can be wrong with the words of a flow: sentences missing or untranslated, values never given, words unheard."""

import re
from collections.abc import Collection, Iterator, Mapping

from changgu.ivr_flows.findings import Finding, error, warning
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.kinds import KIND_OF, Form
from changgu.ivr_flows.nodes import (
    ChooseLanguage,
    CollectDigits,
    CollectSpeech,
    Condition,
    DigitsPrompt,
    GrammarKind,
    HttpLookUp,
    LookUp,
    Menu,
    NamedPrompt,
    Node,
    NodeName,
    OpeningHours,
    Record,
    Said,
    SetValue,
    SpokenWay,
    SubFlow,
    SurveyQuestion,
    TextPrompt,
    TicketStatus,
    WrittenPrompt,
    said_at,
)
from changgu.ivr_flows.own_prompts import OWN_PROMPTS, PROMPTS_OF
from changgu.ivr_flows.spoken import ANSWER_PROMPTS, digit_pieces
from changgu.ivr_flows.spoken_values import pieces_for
from changgu.ivr_flows.values import ALWAYS_KNOWN, BY_THE_CLOCK, names_in, values_said

TELLS_OF_ZERO = {
    "ko": re.compile(r"(?<!\d)0\s*번|영번|공번|영 번|공 번"),
    "en": re.compile(r"(?<!\d)0(?!\d)|\bzero\b"),
}
"""How a sentence says that 0 is the person's key."""


def missing_sentences(
    flow: Flow, catalogues: Mapping[str, Collection[str]], languages: Collection[str] = ()
) -> Iterator[Finding]:
    """Prompts without a sentence, in each of the site's languages; texts without a translation into those between
    which a caller can choose, here or, by `languages`, in the flows around this one."""
    kinds = {type(node) for node in flow.nodes.values()}
    needed: list[Said] = [*OWN_PROMPTS, *(prompt for kind in kinds for prompt in PROMPTS_OF.get(kind, ()))]
    if TicketStatus in kinds:
        needed += [*map(NamedPrompt, ANSWER_PROMPTS), *digit_pieces("0123456789")]
    if CollectDigits in kinds:
        needed += digit_pieces("0123456789")
    spoken_here = languages_chosen(flow) | set(languages)
    for language, names in catalogues.items():
        for name, node in flow.nodes.items():
            for prompt in said_at(node):
                yield from _not_in_catalogue(name, prompt, language, names)
        for prompt in needed:
            yield from _not_in_catalogue(None, prompt, language, names)
    for language in sorted(spoken_here):
        if catalogues and language not in catalogues:
            yield error(None, "", f"{language} 안내문 목록이 없습니다.", f"there are no prompts in {language}")
        for name, node in flow.nodes.items():
            for prompt in said_at(node):
                texts = prompt.texts if isinstance(prompt, WrittenPrompt) else {}
                if isinstance(prompt, TextPrompt | WrittenPrompt) and language not in texts:
                    yield error(
                        name, "say", f"이 문장에 {language} 번역이 없습니다. {{ko: …, en: …}}로 쓰십시오.",
                        f"this sentence has no translation into {language}: write {{ko: …, en: …}}",
                    )  # fmt: skip


def languages_chosen(flow: Flow) -> set[str]:
    """Languages between which a caller can choose; none where there is no choice."""
    chosen = (node.languages.values() for node in flow.nodes.values() if isinstance(node, ChooseLanguage))
    return {language for languages in chosen for language in languages}


def _not_in_catalogue(node: NodeName | None, prompt: Said, language: str, names: Collection[str]) -> Iterator[Finding]:
    for piece in _names_of(prompt):
        if piece not in names:
            yield error(
                node, "say" if node else "",
                f"'{piece}' 안내문이 {language} 목록에 없습니다.",
                f"the prompt '{piece}' has no sentence in {language}",
            )  # fmt: skip


def _names_of(prompt: Said) -> Iterator[str]:
    match prompt:
        case NamedPrompt(name):
            yield name
        case DigitsPrompt(digits):
            yield from (piece.name for piece in digit_pieces(digits))
        case _:
            for value in values_said(prompt):
                yield from pieces_for(value.way)


def untold_person(flow: Flow, catalogues: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """Menus that lead to a person by 0, as all do, and do not say so (SELF-03)."""
    for language, sentences in catalogues.items():
        tells = TELLS_OF_ZERO.get(language)
        if tells is None or not isinstance(sentences, Mapping):
            continue
        for name, node in flow.nodes.items():
            if not isinstance(node, Menu):
                continue
            texts = [_text_of(prompt, sentences, language) for prompt in node.prompts]
            if None not in texts and not any(tells.search(text or "") for text in texts):
                yield warning(
                    name, "say", f"0번이 상담원이라는 말이 {language} 안내문에 없습니다.",
                    f"the menu does not say in {language} that 0 leads to a person",
                )  # fmt: skip


def _text_of(prompt: Said, sentences: Mapping[str, str], language: str) -> str | None:
    """None when it is a recording, whose words nobody knows here."""
    match prompt:
        case NamedPrompt(name):
            return sentences.get(name)
        case TextPrompt(text):
            return text
        case WrittenPrompt(texts):
            return texts.get(language) or texts.get("") or ""
        case _:
            return ""


def unset_values(flow: Flow) -> Iterator[Finding]:
    """Values that are named and never given, and those that have to be synthesised while a caller waits."""
    given = _given(flow)
    for name, node in flow.nodes.items():
        for where, value in _named_at(node):
            if value not in given and value.partition(".")[0] not in given:
                yield warning(
                    name, where, f"값 '{value}'을(를) 정하는 곳이 없습니다.", f"nothing gives the value '{value}'"
                )
        for prompt in said_at(node):
            for value_prompt in values_said(prompt):
                if value_prompt.way is SpokenWay.TEXT:
                    yield warning(
                        name, "say",
                        f"'{value_prompt.name}'은(는) 글 그대로 읽습니다. 듣는 사람이 합성을 기다릴 수 있습니다.",
                        f"'{value_prompt.name}' is read as it is written: a caller may wait while it is synthesised",
                    )  # fmt: skip


def _given(flow: Flow) -> set[str]:
    given = set(ALWAYS_KNOWN) | {"today", "case"} | set(flow.parameters or {})
    for node in flow.nodes.values():
        match node:
            case CollectDigits(name) | CollectSpeech(name) | LookUp(name=name) | HttpLookUp(name=name):
                given.add(name)
            case SetValue(values):
                given |= set(values)
            case OpeningHours():
                given |= BY_THE_CLOCK
            case Record():
                given.add("recording")
            case SurveyQuestion():
                given.add("score")
            case SubFlow(called) if called in flow.flows:
                given |= _returned(flow.flows[called])
            case _:
                continue
    return given


def _returned(called: Flow) -> set[str]:
    from_nodes = {name for node in called.nodes.values() for name in _return_values(node)}
    return set(called.returns) | from_nodes


def _return_values(node: Node) -> Collection[str]:
    kind = KIND_OF[type(node)]
    return getattr(node, "values", {}) if kind.name == "return" else ()


def _named_at(node: Node) -> Iterator[tuple[str, str]]:
    """Field and value, for all values that a node names."""
    for prompt in said_at(node):
        yield from (("say", value.name) for value in values_said(prompt))
    if isinstance(node, Condition):
        for count, test in enumerate(node.tests):
            yield f"when.{count}", test.value
            yield from ((f"when.{count}", name) for text in test.against for name in names_in(text))
    for one in KIND_OF[type(node)].fields:
        written = getattr(node, one.kept_as)
        match one.form:
            case Form.TEXT | Form.URL:
                yield from ((one.name, name) for name in names_in(written))
            case Form.VALUES:
                yield from ((f"{one.name}.{key}", name) for key, text in written.items() for name in names_in(text))
            case _:
                continue


def unheard_words(flow: Flow, vocabulary: Mapping[str, Collection[str]] | None) -> Iterator[Finding]:
    """Words of a question's grammar that the recogniser does not know: nobody could ever give that answer."""
    for name, node in flow.nodes.items():
        if not isinstance(node, CollectSpeech) or node.grammar.kind is not GrammarKind.CHOICES:
            continue
        if not node.keys_prompts:
            yield warning(
                name, "keys_say", "번호로 물을 때의 안내문이 없습니다.", "there is no prompt for asking by keys"
            )
        for language, known in (vocabulary or {}).items():
            spoken = (word for choice in node.grammar.choices for phrase in choice.words for word in phrase.split())
            for word in dict.fromkeys(spoken):
                if word not in known and _is_of(language, word):
                    yield error(
                        name, "grammar", f"음성 인식기가 모르는 말입니다({language}): '{word}'",
                        f"the recogniser does not know this word ({language}): '{word}'",
                    )  # fmt: skip


def _is_of(language: str, word: str) -> bool:
    """Whether a word is written in the letters of this language: the others' words are not asked of it."""
    is_hangul = any("가" <= mark <= "힣" for mark in word)
    return is_hangul if language == "ko" else not is_hangul
