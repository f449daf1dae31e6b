"""One call told line by line, for people: each fact becomes a sentence of the message catalogue."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from changgu.acd.call_record import DIAL_CAUSES
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallbackBooked,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallServedElsewhere,
    CallStarted,
    CallWidened,
    Choice,
    Departure,
    Direction,
    Fact,
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    OfferEnded,
    Outcome,
    PersonAnswered,
    Recorded,
    StateRepaired,
    WaitAnnounced,
)
from changgu.acd.identity import Instant
from changgu.acd.queues import Floor, Way

Translate = Callable[..., str]
"""`t(key, **words)` of the page."""

NodeTitle = Callable[[str], str | None]
"""What people call a node of the menu; None when it has no other name."""


Told = tuple[str, dict[str, str], dict[str, str]]
"""A message key, words, and words that are messages themselves."""

REFUSALS = frozenset({*(why.value for why in Departure), "no_such_queue", "desk_closed", "desk_full", "error"})
"""Reasons of a refusal that have a word of their own (`departure.…`)."""

REPAIRS = frozenset({"talking_without_a_leg", "connecting_too_long", "ready_without_a_phone"})


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


def _sentence(fact: Fact, names: Mapping[str, str], node_title: NodeTitle) -> Told | None:
    match fact:
        case MenuStepTaken(node=node, key=None):
            title = node_title(node)
            return ("menu_plain", {}, {}) if title is None else ("menu", {"node": title}, {})
        case MenuStepTaken(node=node, key=key):
            title, pressed = node_title(node), {"pressed": key or ""}
            return ("menu_key_plain", pressed, {}) if title is None else ("menu_key", {"node": title, **pressed}, {})
        case CallQueued(queue=queue, skills=skills):
            words = {"queue": names.get(queue, queue), "skills": ", ".join(sorted(skills))}
            return "queued_skills" if skills else "queued", words, {}
        case CallOffered(agent=agent, choice=choice):
            key = "offered" if choice is Choice.TURN else f"offered_{choice.value}"
            return key, {"agent": names.get(agent, agent)}, {}
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
        case PersonAnswered():
            return "person_answered", {}, {}
        case CallbackBooked(number=number, queue=queue):
            return "callback_booked", {"number": number, "queue": names.get(queue, queue)}, {}
        case StateRepaired(what=what):
            return f"repaired_{what}" if what in REPAIRS else "repaired", {"what": what}, {}
        case _:
            return _longer_sentence(fact, names)


def _longer_sentence(fact: Fact, names: Mapping[str, str]) -> Told | None:
    match fact:
        case CallStarted(caller=caller, dialled=dialled, direction=Direction.OUTBOUND):
            return "started_outbound", {"number": caller or dialled}, {}
        case CallStarted(caller=None, dialled=dialled):
            return "started_withheld", {"dialled": dialled}, {}
        case CallStarted(caller=caller, dialled=dialled):
            return "started", {"caller": caller or "", "dialled": dialled}, {}
        case CallWidened(reach=reach, skills=skills, opened=opened):
            words = {
                "reach": _clock(reach),
                "queues": ", ".join(sorted(names.get(queue, queue) for queue in opened)),
                "skills": ", ".join(sorted(skills)),
            }
            return "widened_opened" if opened else "widened_skills" if skills else "widened", words, {}
        case CallOverflowed(why=why, to=to, key=key):
            way, _, name = to.partition(":")
            words = {"name": names.get(name, name), "pressed": key or "", "to": to}
            known = way if way in {one.value for one in Way} else "other"
            return f"overflow_{known}", words, {"why": f"departure.{why.value}"}
        case WaitAnnounced(position=position, promise=promise):
            words = {"position": str(position), "promise": _clock(promise or 0.0)}
            said = {(False, False): "", (True, False): "_position", (False, True): "_promise", (True, True): "_both"}
            return f"announced{said[position is not None, promise is not None]}", words, {}
        case CallEnded(outcome=Outcome.NOT_REACHED, reason=reason) if reason:
            if reason in DIAL_CAUSES:
                return "ended_busy" if reason in ("busy", "declined") else "ended_not_reached", {}, {}
            return "ended_agent_left" if reason == "agent_left" else "ended_not_dialled", {}, {}
        case CallEnded(outcome=Outcome.REFUSED, reason=reason) if reason in REFUSALS:
            return "ended_refused", {}, {"outcome": "outcome.refused", "why": f"departure.{reason}"}
        case CallEnded(outcome=outcome, by=by):
            return f"ended_by_{by.value}", {}, {"outcome": f"outcome.{outcome.value}"}
        case CallServedElsewhere(queue=None, outcome=outcome):
            return "ended_elsewhere", {}, {"outcome": f"outcome.{outcome.value}"}
        case CallServedElsewhere(queue=str(queue), outcome=outcome):
            return "served_elsewhere", {"queue": names.get(queue, queue)}, {"outcome": f"outcome.{outcome.value}"}
        case AgentStateChanged(agent=agent, before=before, after=after, reason=away, by=forced_by, why=words_given):
            state = f"state.{after.value}" if away is None else f"reason.{away.value}"
            moved = {"before": f"state.{before.value}", "after": state}
            words = {"agent": names.get(agent, agent)}
            if forced_by is None:
                return "agent_state", words, moved
            words |= {"by": names.get(forced_by, forced_by), "given": words_given}
            return "agent_state_by_why" if words_given else "agent_state_by", words, moved
    return None


def _clock(seconds: float) -> str:
    """75 seconds as 1:15."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"
