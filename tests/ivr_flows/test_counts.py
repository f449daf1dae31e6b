"""What callers did at each place of the menu, by day and version."""

import itertools
from datetime import date

from changgu.acd.facts import CallEnded, CallQueued, Ender, Fact, MenuStepTaken, Outcome, Recorded
from changgu.acd.identity import CallId, QueueName
from changgu.ivr_flows.publishing.counts import WHOLE, Figures, heat_map
from tests.ivr_flows.menu_house import BOSS, MAIN, PILOT, MenuHouse

TODAY = date(2026, 3, 2)
numbers = itertools.count(1)


def happen(house: MenuHouse, *facts: Fact) -> None:
    for fact in facts:
        house.facts.hear(Recorded(next(numbers), house.clock.timestamp(), fact))


def walk(house: MenuHouse, call: str, *nodes: str, end: Outcome | None = None, dialled: str = "1000") -> None:
    """A caller goes through these nodes; to a queue when there is no end."""
    house.facts.flow_of(CallId(call), dialled)
    happen(house, *(MenuStepTaken(CallId(call), node, None) for node in nodes))
    if end is None:
        happen(house, CallQueued(CallId(call), QueueName("network"), 0))
        end = Outcome.ANSWERED
    happen(house, CallEnded(CallId(call), end, Ender.CALLER))


async def figures(house: MenuHouse, version: int | None = None) -> dict[str, Figures]:
    picture = heat_map(await house.counts.rows("main", TODAY, TODAY, version))
    return {**picture.nodes, WHOLE: picture.whole}


async def test_every_caller_is_counted_where_they_came_and_where_they_went(house: MenuHouse) -> None:
    walk(house, "c1", "greeting", "services", "network")
    walk(house, "c2", "greeting", end=Outcome.ABANDONED_IN_MENU)
    walk(house, "c3", "greeting", "services", end=Outcome.LOST)

    found = await figures(house)

    assert found["greeting"] == Figures(entered=3, left=2, hung_up=1)
    assert found["services"] == Figures(entered=2, left=1, failed=1)
    assert found["network"] == Figures(entered=1, left=1)
    assert found[WHOLE] == Figures(entered=3, left=1, hung_up=1, failed=1)
    assert found[WHOLE].drop_out == 1 / 3


async def test_everybody_who_came_has_left_hung_up_failed_or_was_served(house: MenuHouse) -> None:
    ways = [("greeting",), ("greeting", "services"), ("greeting", "services", "ticket_status", "after_ticket_status")]
    ends = [None, Outcome.ABANDONED_IN_MENU, Outcome.SELF_SERVED, Outcome.LOST, Outcome.REFUSED, Outcome.REDIRECTED]
    for number, (way, end) in enumerate(itertools.product(ways, ends)):
        walk(house, f"c{number}", *way, end=end)
    for one in (await figures(house)).values():
        assert one.entered == one.left + one.hung_up + one.failed + one.contained


async def test_a_caller_who_hangs_up_after_the_answer_was_served(house: MenuHouse) -> None:
    walk(house, "c1", "greeting", "services", "ticket_status", "after_ticket_status", end=Outcome.ABANDONED_IN_MENU)
    walk(house, "c2", "greeting", "services", "ticket_status", "operator", end=Outcome.ABANDONED_IN_MENU)
    walk(house, "c3", "greeting", "services", "ticket_status", end=Outcome.ABANDONED_IN_MENU)
    found = await figures(house)
    assert found["after_ticket_status"] == Figures(entered=1, hung_up=1)
    assert found[WHOLE] == Figures(entered=3, hung_up=2, contained=1)
    assert found[WHOLE].containment == 1 / 3


async def test_days_are_those_of_the_site_and_versions_are_kept_apart(house: MenuHouse) -> None:
    walk(house, "c1", "greeting")
    saved = await house.versions.save_draft(MAIN.replace("repeats: 2", "repeats: 3"), 0, BOSS)
    await house.versions.publish(saved.revision, "", None, BOSS)
    walk(house, "c2", "greeting")
    house.wind(hours=14, minutes=59)  # 23:59 in Seoul
    walk(house, "c3", "greeting")
    house.wind(minutes=1)
    walk(house, "c4", "greeting")

    rows = await house.counts.rows("main", TODAY, date(2026, 3, 3))

    assert [(row.day.day, row.version, row.figures.entered) for row in rows if row.node == "greeting"] == [
        (2, 1, 1), (2, 2, 2), (3, 2, 1),
    ]  # fmt: skip
    assert (await figures(house, 2))[WHOLE].entered == 2


async def test_what_the_pilot_number_hears_is_kept_out_of_the_figures(house: MenuHouse) -> None:
    await house.versions.save_draft(MAIN.replace("repeats: 2", "repeats: 3"), 0, BOSS)
    await house.versions._make_ready()
    walk(house, "c1", "greeting", dialled=PILOT)
    assert await figures(house) == {WHOLE: Figures()}
    assert (await figures(house, 0))[WHOLE].entered == 1


async def test_calls_of_before_a_restart_are_passed_over(house: MenuHouse) -> None:
    happen(house, MenuStepTaken(CallId("old"), "greeting", None))
    happen(house, CallEnded(CallId("old"), Outcome.ABANDONED_IN_MENU, Ender.CALLER))
    assert await figures(house) == {WHOLE: Figures()}
