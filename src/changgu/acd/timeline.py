"""One call told line by line, for people: each fact becomes a sentence of the message catalogue."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Fact,
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    NewsIgnored,
    OfferEnded,
    Recorded,
)
from changgu.acd.identity import Instant
from changgu.acd.queues import Floor

Translate = Callable[..., str]
"""`t(key, **words)` of the page."""

NodeTitle = Callable[[str], str | None]
"""What people call a node of the menu; None when it has no other name."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a message key, the words that fill it, and words that are messages themselves."""

    at: Instant
    after: float
    """Seconds since the call began."""
    key: str
    words: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)

    def text(self, t: Translate) -> str:
        """The sentence in the reader's language."""
        return t(self.key, **self.words, **{word: t(key) for word, key in self.said.items()})


def tell(recorded: Iterable[Recorded], floor: Floor, node_title: NodeTitle = lambda node: None) -> list[Line]:
    """The lines of one call, in order; queues, agents and nodes of the menu by the names people know them by.

    News that was not believed is left out: it changed nothing, and is in the ledger for whoever looks for a fault.
    """
    names = {str(queue.name): queue.title for queue in floor.queues}
    names |= {str(agent.login): agent.name for agent in floor.agents}
    lines: list[Line] = []
    began: Instant | None = None
    for entry in recorded:
        began = entry.at if began is None else began
        told = _sentence(entry.fact, names, node_title)
        if told is not None and not (told[0] == "menu_plain" and lines and lines[-1].key == "timeline.menu_plain"):
            key, words, said = told
            lines.append(Line(entry.at, max(0.0, entry.at - began), f"timeline.{key}", words, said))
    return lines


def _sentence(
    fact: Fact, names: Mapping[str, str], node_title: NodeTitle
) -> tuple[str, dict[str, str], dict[str, str]] | None:
    match fact:
        case CallStarted(caller=None, dialled=dialled):
            return "started_withheld", {"dialled": dialled}, {}
        case CallStarted(caller=caller, dialled=dialled):
            return "started", {"caller": caller or "", "dialled": dialled}, {}
        case MenuStepTaken(node=node, key=None):
            title = node_title(node)
            return ("menu_plain", {}, {}) if title is None else ("menu", {"node": title}, {})
        case MenuStepTaken(node=node, key=key):
            title, pressed = node_title(node), {"pressed": key or ""}
            return ("menu_key_plain", pressed, {}) if title is None else ("menu_key", {"node": title, **pressed}, {})
        case CallQueued(queue=queue, skills=skills):
            words = {"queue": names.get(queue, queue), "skills": ", ".join(sorted(skills))}
            return "queued_skills" if skills else "queued", words, {}
        case CallOffered(agent=agent):
            return "offered", {"agent": names.get(agent, agent)}, {}
        case OfferEnded(agent=agent, why=why):
            return f"offer_{why.value}", {"agent": names.get(agent, agent)}, {}
        case CallAnswered(agent=agent):
            return "answered", {"agent": names.get(agent, agent)}, {}
        case CallConnected(agent=agent):
            return "connected", {"agent": names.get(agent, agent)}, {}
        case HoldStarted(agent=agent):
            return "hold_started", {"agent": names.get(agent, agent)}, {}
        case HoldEnded(agent=agent):
            return "hold_ended", {"agent": names.get(agent, agent)}, {}
        case CallEnded(outcome=outcome, by=by):
            return f"ended_by_{by.value}", {}, {"outcome": f"outcome.{outcome.value}"}
        case AgentStateChanged(agent=agent, before=before, after=after, reason=reason):
            state = f"state.{after.value}" if reason is None else f"reason.{reason.value}"
            said = {"before": f"state.{before.value}", "after": state}
            return "agent_state", {"agent": names.get(agent, agent)}, said
        case NewsIgnored():
            return None
        case _:
            return None
