"""A menu tree with all that it needs to be heard: its sub-flows, the table of hours, the sentences of its prompts."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import NamedPrompt, Prompt, Said, SpokenWay, TicketStatus, said_at
from changgu.ivr_flows.own_prompts import OWN_PROMPTS, PROMPTS_OF
from changgu.ivr_flows.problems import Problem
from changgu.ivr_flows.spoken import ANSWER_PROMPTS
from changgu.ivr_flows.turns import Play, Turn
from changgu.ivr_flows.values import values_said

Sentences = Mapping[str, Mapping[str, str]]
"""Language → prompt name → sentence."""


@dataclass(frozen=True, slots=True)
class MenuSet:
    """Texts that are put on the air, scheduled and rolled back together, so that a version sounds as it did."""

    text: str
    """The tree, in YAML."""
    flows: Mapping[str, str] = field(default_factory=dict)
    """Sub-flows by name, in YAML."""
    calendars: str = ""
    """The table of opening hours, in YAML; empty: the site's file."""
    sentences: Sentences = field(default_factory=dict)
    """Of the prompts that the trees name; the pieces of which numbers are made are no part of a version."""

    def like(self, other: "MenuSet") -> "MenuSet":
        """Of this, only what `other` has too: two that differ in what nobody needs are the same menu."""
        return MenuSet(
            self.text,
            {name: text for name, text in self.flows.items() if name in other.flows},
            self.calendars,
            {
                language: {name: text for name, text in said.items() if name in other.sentences.get(language, {})}
                for language, said in self.sentences.items()
            },
        )

    def digest(self) -> str:
        """Tells sets apart; line ends and the order of names do not count."""
        whole = [
            _lines(self.text), {name: _lines(text) for name, text in self.flows.items()}, _lines(self.calendars),
            {language: dict(said) for language, said in self.sentences.items() if said},
        ]  # fmt: skip
        return _digest(whole)

    def over(self, others: Sentences) -> dict[str, dict[str, str]]:
        """These sentences, and under them all others."""
        return {language: {**said, **self.sentences.get(language, {})} for language, said in others.items()}


def _lines(text: str) -> list[str]:
    return text.splitlines()


def _digest(whole: object) -> str:
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


TREE, HOURS = "tree", "hours"
"""Names of parts; the others are `flow NAME` and `LANGUAGE NAME`."""


@dataclass(frozen=True, slots=True)
class MenuFiles:
    """The files of which a menu is made: the site's own, and the shipped ones where it has none."""

    name: str
    """Of the tree's file; `changgu:main.yaml` when nothing of all this is the site's own."""
    menu: MenuSet
    """The tree, every flow there is, the table of hours, every sentence there is."""
    own: MenuSet = field(default=MenuSet(""))
    """Of these, what is the site's own."""
    problems: tuple[Problem, ...] = ()
    """Files that could not be read."""

    def own_parts(self) -> dict[str, str]:
        """What the site has of its own, each with what tells its states apart."""
        own = self.own
        parts = {TREE: own.text, HOURS: own.calendars, **{f"flow {name}": text for name, text in own.flows.items()}}
        for language, said in own.sentences.items():
            parts |= {f"{language} {name}": text for name, text in said.items()}
        return {name: _digest(_lines(text)) for name, text in parts.items() if text}

    def changed_in(self, menu: MenuSet, before: Mapping[str, str]) -> MenuSet:
        """The menu with what the site has changed of its own since it was as `before` (`own_parts`)."""
        news = {name for name, state in self.own_parts().items() if before.get(name) != state}
        new = self.menu
        return MenuSet(
            new.text if TREE in news else menu.text,
            {name: new.flows[name] if f"flow {name}" in news else text for name, text in menu.flows.items()},
            new.calendars if HOURS in news else menu.calendars,
            {
                language: {
                    name: new.sentences[language][name] if f"{language} {name}" in news else text
                    for name, text in said.items()
                }
                for language, said in menu.sentences.items()
            },
        )


def carried(menu: MenuSet, files: MenuSet, flow: Flow) -> MenuSet:
    """All that the tree needs and no more; what the set lacks is taken from the files. `flow`: the set, as read."""
    flows, said = {**files.flows, **menu.flows}, menu.over(files.sentences)
    needed = set(names_said(flow))
    return MenuSet(
        menu.text,
        {name: flows[name] for name in sorted(flow.flows)},
        menu.calendars or files.calendars,
        {
            language: {name: text for name, text in sorted(sentences.items()) if name in needed}
            for language, sentences in said.items()
        },
    )


def names_said(flow: Flow) -> Iterator[str]:
    """Names of all prompts that a tree and its sub-flows say; some more than once."""
    yield from (prompt.name for prompt in OWN_PROMPTS)
    for part in flow.all_flows():
        for node in part.nodes.values():
            yield from (prompt.name for prompt in said_at(node) if isinstance(prompt, NamedPrompt))
            yield from (prompt.name for prompt in PROMPTS_OF.get(type(node), ()))
            if isinstance(node, TicketStatus) or any(_tells_of_a_ticket(prompt) for prompt in said_at(node)):
                yield from ANSWER_PROMPTS


def _tells_of_a_ticket(prompt: Said) -> bool:
    return any(value.way is SpokenWay.TICKET for value in values_said(prompt))


def worded(turn: Turn, sentences: Sentences) -> Turn:
    """A turn whose named prompts are said in the words of the version that the caller began with."""
    if not sentences:
        return turn
    steps = tuple(
        msgspec.structs.replace(step, prompts=tuple(
            _worded(one, sentences.get(step.language or turn.state.visit.language, {})) for one in step.prompts
        )) if isinstance(step, Play) else step
        for step in turn.steps
    )  # fmt: skip
    return replace(turn, steps=steps)


def _worded(prompt: Prompt, sentences: Mapping[str, str]) -> Prompt:
    if isinstance(prompt, NamedPrompt) and prompt.name in sentences:
        return NamedPrompt(prompt.name, sentences[prompt.name])
    return prompt
