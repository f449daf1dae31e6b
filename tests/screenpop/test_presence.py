"""Whether an agent's desktop is open: the first page, the last page, a reload, and a restart."""

from dataclasses import dataclass

from changgu.acd.events import DesktopGone, DesktopSeen, Event
from changgu.acd.identity import AgentId
from changgu.screenpop.presence import Presence

KIM, LEE, PARK = AgentId("kim"), AgentId("lee"), AgentId("park")


@dataclass
class Standing:
    desktop: bool | None


def test_the_first_page_comes_and_the_last_one_goes() -> None:
    posted: list[Event] = []
    presence = Presence(posted.append)
    presence.opened(KIM)
    presence.opened(KIM)
    presence.closed(KIM)
    assert posted == [DesktopSeen(KIM)]
    assert list(presence.here) == [KIM]

    presence.closed(KIM)
    assert posted == [DesktopSeen(KIM), DesktopGone(KIM)]
    assert list(presence.here) == []


def test_after_a_restart_whoever_does_not_come_back_is_gone() -> None:
    posted: list[Event] = []
    presence = Presence(posted.append)
    presence.opened(KIM)
    presence.look_back({KIM: Standing(True), LEE: Standing(True), PARK: Standing(None)})
    assert posted == [DesktopSeen(KIM), DesktopGone(LEE)]


def test_a_closing_desk_does_not_say_that_everybody_left() -> None:
    posted: list[Event] = []
    presence = Presence(posted.append)
    presence.opened(KIM)
    presence.close()
    presence.closed(KIM)
    assert posted == [DesktopSeen(KIM)]
