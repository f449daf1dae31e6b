"""Whether agents' desktops are open: told to the ACD when the first page of an agent comes and when the last has gone.

A page counts as long as its WebSocket lives. The server asks it at short intervals (RFC 6455, section 5.5.2), and
browsers answer by themselves, also for a page in the background whose own timers stand still (lesson 37).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from changgu.acd.events import DesktopGone, DesktopSeen, Event
from changgu.acd.identity import AgentId


class AgentStanding(Protocol):
    """What the ACD knows of an agent; `acd.records.AgentView` is one."""

    @property
    def desktop(self) -> bool | None:
        """Whether their desktop is open; None when they have none."""
        ...


class Presence:
    """Counts the open pages of each agent. What follows from it, after what grace, is for the ACD to decide."""

    def __init__(self, post: Callable[[Event], None]) -> None:
        self._post = post
        self._pages: Counter[AgentId] = Counter()
        self._closing = False

    @property
    def here(self) -> Iterable[AgentId]:
        """Agents with an open page."""
        return self._pages.keys()

    def opened(self, agent: AgentId) -> None:
        """A page of this agent is open."""
        self._pages[agent] += 1
        if self._pages[agent] == 1:
            self._post(DesktopSeen(agent))

    def closed(self, agent: AgentId) -> None:
        """A page of this agent was closed, or no longer answers."""
        self._pages[agent] -= 1
        if self._pages[agent] > 0:
            return
        del self._pages[agent]
        if not self._closing:
            self._post(DesktopGone(agent))

    def look_back(self, believed: Mapping[AgentId, AgentStanding]) -> None:
        """A while after a start: whoever is believed to have a desktop, and has not come back, has none."""
        for agent, view in believed.items():
            if view.desktop and agent not in self._pages:
                self._post(DesktopGone(agent))

    def close(self) -> None:
        """The desk closes: pages that are cut off now come back when it opens again; nobody has left."""
        self._closing = True
