"""The measurements' arithmetic is right: nothing here is timed."""

import asyncio
import socket
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random
from typing import cast
from xml.etree import ElementTree

import numpy as np
import pytest

from bench import acd, engine, goals, menus, restart
from bench.bare_ari import BareDistributor
from bench.curve import Curve, drawn
from bench.engine import Day, EnginePlan
from bench.figures import over_rounds, percentile, shown, spread, table
from bench.ideal import Visit, Wait, mean_wait, replay, trace
from bench.phone_log import answers_per_minute, idle_gaps, inversions, joining_times, overtakings, read, ring_latencies
from bench.rtp_lines import EVENTS, HEARD, CallerLine, Press, RtpLine, RtpLines, digests
from bench.sip_phones import Leg, SipPhones, audio_address, parsed, uri_in, user_of
from bench.sipp_phones import agent_scenario, caller_of, caller_scenario, number_of
from bench.traced_hour import Hour
from changgu.ivr_flows.loader import inspect
from changgu.ivr_flows.service import sentences

LOG = """dialled 2026-11-21\t22:05:16.000000\t1000.000000 +431000001001000
invited 2026-11-21\t22:05:16.003000\t1000.003000 a001 000001
dialled 2026-11-21\t22:05:16.100000\t1000.100000 +431000002001000
answered 2026-11-21\t22:05:16.200000\t1000.200000 a001 000001
hung_up 2026-11-21\t22:05:17.200000\t1001.200000 a001 000001
left 2026-11-21\t22:05:17.201000\t1001.201000 +431000001001000
invited 2026-11-21\t22:05:17.210000\t1001.210000 a001 000002
missed 2026-11-21\t22:05:17.300000\t1001.300000 a001 000002
invited 2026-11-21\t22:05:17.400000\t1001.400000 a002 000002
answered 2026-11-21\t22:05:18.200000\t1002.200000 a002 000002
"""


def test_a_callers_number_says_who_calls_and_how_long_the_agent_will_talk() -> None:
    assert number_of(42, 1.5) == "+431000042001500"
    assert caller_of("+431000042001500") == (42, 1.5)
    for wrong in ("1000042001500", "+43100004200150", "+431000042001500x"):
        with pytest.raises(ValueError, match="not one of our callers"):
            caller_of(wrong)
    with pytest.raises(ValueError, match="has no number"):
        number_of(1, 1000)


def test_percentiles_lie_between_neighbours_and_nothing_has_none() -> None:
    values = [4.0, 1.0, 3.0, 2.0]
    assert [percentile(values, share) for share in (0, 0.5, 1)] == [1, 2.5, 4]
    assert percentile([7.0], 0.99) == 7
    assert spread([0.001, 0.003], scale=1000, shares=(0.5, 0.999)) == pytest.approx({"p50": 2, "p99.9": 2.998})
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="not a share"):
        percentile(values, 50)


def test_rounds_are_summed_up_by_their_medians() -> None:
    assert over_rounds([{"p50": 1, "n": 5}, {"p50": 9}, {"p50": 2}]) == {"p50": 2, "n": 5}


def test_a_table_is_markdown() -> None:
    assert table(["what", "ms"], [["first", 3.14159], ["second", 1234]]) == (
        "| what | ms |\n| --- | ---: |\n| first | 3.14 |\n| second | 1,234 |\n"
    )
    assert shown(0) == "0"


def test_the_log_of_callers_and_agents_is_matched_by_the_caller() -> None:
    log = read(LOG.splitlines())
    assert ring_latencies(log) == pytest.approx([0.003, 1.11])
    assert log.left == {1: 1001.201}
    assert idle_gaps(log) == pytest.approx([0.010]), "a002 was idle before, which is no gap"
    assert answers_per_minute(log) == pytest.approx(30)
    connections = [("+431000001001000", 1000.23), ("+431000002001000", 1002.21), ("+431000002001000", 1009.0)]
    assert joining_times(log, connections) == pytest.approx([0.03, 0.01])
    assert ring_latencies(read(LOG.splitlines(), callers=[1])) == pytest.approx([0.003])
    with pytest.raises(ValueError, match="not a line"):
        read(["rubbish 2026-11-21 22:05:16 1 a b"])


def test_overtaking_is_counted_beyond_the_blur_only() -> None:
    came = {1: 0.0, 2: 1.0, 3: 2.0, 4: 2.01}
    assert overtakings(came, {1: 10, 2: 11, 3: 12, 4: 13}, 0.05) == []
    assert overtakings(came, {1: 10, 2: 12, 3: 11, 4: 13}, 0.05) == [3]
    assert overtakings(came, {1: 10, 2: 11, 3: 13, 4: 12}, 0.05) == [], "3 and 4 came together"
    assert overtakings(came, {2: 9, 1: 10, 3: 11}, 0.05) == [2], "who was never served was not overtaken"
    assert inversions(["a", "b", "c"], ["a", "b", "c"]) == 0
    assert inversions(["a", "b", "c"], ["b", "x", "a", "c"]) == 1


def test_the_ideal_queue_serves_in_order_and_waits_for_nobody_who_has_left() -> None:
    visits = [Visit(0, 10, 99), Visit(1, 10, 99), Visit(2, 5, 99), Visit(3, 5, 4), Visit(4, 1, 99)]
    assert replay(visits, 2) == [
        Wait(0, served=True), Wait(0, served=True), Wait(8, served=True), Wait(4, served=False), Wait(7, served=True),
    ]  # fmt: skip
    assert mean_wait(replay(visits, 2)) == pytest.approx(19 / 5)
    assert mean_wait(replay(visits, 5)) == 0
    with pytest.raises(ValueError, match="in order"):
        replay(visits[::-1], 2)
    with pytest.raises(ValueError, match="without agents"):
        replay(visits, 0)
    with pytest.raises(ValueError, match="nobody called"):
        mean_wait([])


def test_the_ideal_queue_agrees_with_erlang_c() -> None:
    """The service desk's own reference: a = 10 erlang, 12 agents, C = 0.4494, mean wait C/(N−a) of a mean handling."""
    dice = Random(5)
    at, visits = 0.0, []
    for _ in range(200_000):
        at += dice.expovariate(10)
        visits.append(Visit(at, dice.expovariate(1), 1e9))
    waits = replay(visits, 12)
    assert sum(wait.seconds > 0 for wait in waits) / len(waits) == pytest.approx(0.449388, abs=0.02)
    assert mean_wait(waits) == pytest.approx(0.449388 / 2, rel=0.08)


def test_a_trace_has_the_load_it_was_asked_for_and_the_same_dice_make_the_same_trace() -> None:
    visits = trace(Random(1), agents=50, load=0.95, handling=6, patience=30, length=20_000, ring=0.2)
    assert sum(visit.handling for visit in visits) / 50 / 20_000 == pytest.approx(0.95, rel=0.03)
    assert sum(visit.patience for visit in visits) / len(visits) == pytest.approx(30, rel=0.03)
    assert min(visit.handling for visit in visits) >= 0.25
    assert visits == trace(Random(1), agents=50, load=0.95, handling=6, patience=30, length=20_000, ring=0.2)


class _PbxOfOneAgent:
    """Telephones whose every call rings at an agent who shows the caller's number."""

    rung: Callable[[Leg], None]
    joined: Callable[[Leg], None]
    ended: Callable[[Leg], None]

    def dial(self, number: str, extension: str) -> Leg:
        caller, agent = Leg(number, "", "", "", number), Leg(f"a-{number}", "", "", "", "kim", number)
        asyncio.get_running_loop().call_soon(self.rung, agent)
        return caller

    def answer(self, leg: Leg) -> None:
        self.joined(leg)

    def hang_up(self, leg: Leg) -> None:
        self.ended(Leg(leg.caller, "", "", "", leg.caller))


async def test_the_hour_knows_its_callers_by_the_numbers_they_call_from() -> None:
    visits = [Visit(0.0, 0.5, 5.0), Visit(0.01, 0.02, 5.0)]
    hour = Hour(cast(SipPhones, _PbxOfOneAgent()), "1001", visits, ring=0.0, first=280)
    await hour.play()
    found = hour.figures(1)
    assert (found["served"], found["callers"], found["overtakings"]) == (2, 2, 0)


def test_what_sipp_is_given_is_well_formed() -> None:
    for scenario in (caller_scenario(), agent_scenario(0.0), agent_scenario(0.2)):
        steps = [step.tag for step in ElementTree.fromstring(scenario)]
        assert {"send", "recv"} <= set(steps)
    assert 'timeout="200"' in agent_scenario(0.2)
    assert "CANCEL" not in agent_scenario(0.0)


def test_a_phone_reads_what_the_pbx_sends() -> None:
    invite = (
        b"INVITE sip:a001@127.0.0.1:5099 SIP/2.0\r\nVia: SIP/2.0/UDP one\r\nVia: SIP/2.0/UDP two\r\n"
        b'From: "x" <sip:1000042001500@127.0.0.1>;tag=7\r\nTo: <sip:a001@127.0.0.1>\r\nCall-ID: c\r\n'
        b"CSeq: 9 INVITE\r\nContact: <sip:asterisk@127.0.0.1:5060>\r\n\r\n"
        b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 22000 RTP/AVP 0\r\n"
    )
    message = parsed(invite)
    assert message is not None
    assert (message.method, message.status, message.all("via")) == ("INVITE", 0, ["SIP/2.0/UDP one", "SIP/2.0/UDP two"])
    assert user_of(message.start) == "a001"
    assert user_of(message.one("from")) == "1000042001500"
    assert uri_in(message.one("contact")) == "sip:asterisk@127.0.0.1:5060"
    assert audio_address(message.body) == ("127.0.0.1", 22000)
    assert audio_address("v=0") is None
    reply = parsed(b"SIP/2.0 487 Request Terminated\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n")
    assert reply is not None
    assert (reply.status, reply.method) == (487, "INVITE")
    assert parsed(b"\r\n\r\n") is None, "a keep-alive"


def test_the_two_take_turns_at_being_first_and_the_defaults_come_once() -> None:
    orders = [list(acd.order_of(number)) for number in range(4)]
    assert orders[0] == [acd.CHANGGU, acd.TUNED, acd.BARE, acd.DEFAULT]
    assert [order[0] for order in orders] == [acd.CHANGGU, acd.TUNED] * 2
    assert all(order[2:] == [acd.BARE] for order in orders[1:])


def test_callers_numbers_are_never_used_twice() -> None:
    numbers = acd.Numbers()
    assert [*numbers.take(2), *numbers.take(3)] == [0, 1, 2, 3, 4]


def test_the_made_up_day_keeps_as_many_waiting_as_asked_for_and_serves_the_others() -> None:
    plan = EnginePlan(agents=20, queues=5, queues_each=2, waiting=30)
    day = Day(plan, plan.waiting)
    day.open()
    assert day.waiting == 30
    day.forget()
    day.live(2000)
    assert 29 <= day.waiting <= 30
    assert len(day.took) == len(day.used) == len(day.kinds) >= 2000
    assert {"CallArrived", "AgentAnswered", "AgentHungUp", "DeadlinePassed", "CallerHungUp"} <= set(day.kinds)
    assert all(took > 0 for took in islice(day.took, 10))


def test_reports_say_what_was_measured() -> None:
    names = ("decisions a second", "decisions a processor second", "p50", "p99", "p99.9", "max")
    costs = dict.fromkeys((*names, "p99 on the processor", "max on the processor"), 1.0)
    result = {
        "floor": {"agents": 2000, "queues": 200, "skills": 10, "waiting": 10_000},
        "speed": {"medians": costs}, "kinds": {"CallArrived": {**costs, "share": 0.5}},
        "curve": {"100": costs, "1000": {**costs, "p99": 1.4}},
        "every caller needs something else": costs, "besides": {"bytes for a waiting caller": 2000.0},
    }  # fmt: skip
    text = engine.report(result)
    assert "2,000 agents" in text
    assert "| 100 → 1,000 | 1.40 | 1.00 |" in text
    picture = engine.picture(result)
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    both = acd.summed_up({acd.CHANGGU: [{"p50": 3.0}, {"p50": 5.0}], acd.TUNED: [{"p50": 4.0}], acd.DEFAULT: []})
    assert both[acd.CHANGGU]["medians"] == {"p50": 4}
    assert acd.DEFAULT not in both
    assert "| changgu | 4.00 |" in acd.report({"idle": {"40": both}})
    kills = {"medians": {"ready s": 1.0}, "rounds": [{"ready s": 1.0}, {"ready s": 3.0}]}
    assert restart.report({"restart": kills}) == (
        "### SIGKILL with calls going on\n\n|  | median | worst |\n| --- | ---: | ---: |\n| ready s | 1.00 | 3.00 |\n"
    )


def test_curves_need_points_above_nothing() -> None:
    with pytest.raises(ValueError, match="above 0"):
        drawn("t", "x", "y", [Curve("c", [(0, 1)])])


def test_goals_are_compared_with_medians() -> None:
    ours = {"p50": 3.6, "p95": 5.0, "p99": 9.0, "changgu ms": 2.6, "both ms": 9.0}
    theirs = {"p50": 3.0, "p95": 7.0, "p99": 10.0, "both ms": 10.0}
    idle = {acd.CHANGGU: {"medians": ours}, acd.TUNED: {"medians": theirs}}
    met = [enough for _, _, _, enough in goals.rows({"idle": {"40": idle}})]
    assert met == [True, True, False, True]
    bare = {"p50": 3.3, "p95": 5.0, "p99": 8.0, "bare ms": 1.5, "both ms": 9.5}
    told = [what for what, *_ in goals.rows({"idle": {"40": {**idle, acd.BARE: {"medians": bare}}}})]
    assert [what.partition("(")[2] for what in told] == [
        "bare ARI: 1.10)", "bare ARI: 0.80)", "bare ARI: 1.50)", "bare ARI: 0.95)",
    ]  # fmt: skip
    text = goals.report({"requests": {"requests a call": 6.4}})
    assert "| requests for an answered call | ≤ 6 | 6.40 | **missed** |" in text
    assert goals.report({}) == ""


class _AskedPbx:
    """Takes down what the bare distributor asks for."""

    def __init__(self, agents: list[str]) -> None:
        self.asked: list[str] = []
        self.bare = BareDistributor(self.ask, agents)

    def ask(self, method: str, uri: str, body: object = None, /, **query: str) -> None:
        self.asked.append(" ".join([method, uri, *(query[name] for name in ("endpoint", "channel") if name in query)]))

    def hears(self, kind: str, channel: str, *args: str) -> list[str]:
        """What it asks for when it hears this."""
        self.asked.clear()
        self.bare.hear({"type": kind, "args": list(args), "channel": {"id": channel, "caller": {"number": "1"}}})
        return self.asked


def test_the_bare_distributor_asks_for_what_a_call_needs_and_nothing_else() -> None:
    pbx = _AskedPbx(["kim"])
    assert pbx.hears("StasisStart", "c1", "caller") == ["POST channels PJSIP/agent-kim"]
    assert pbx.hears("StasisStart", "leg-c1", "agent", "c1") == [
        "POST channels/c1/answer", "POST bridges", "POST bridges/call-c1/addChannel c1,leg-c1",
    ]  # fmt: skip
    assert pbx.hears("ChannelDestroyed", "leg-c1") == ["DELETE channels/c1", "DELETE bridges/call-c1"]
    assert pbx.hears("ChannelDestroyed", "c1") == []


def test_the_bare_distributor_serves_who_waits_in_order_with_music_until_then() -> None:
    pbx = _AskedPbx(["kim"])
    pbx.hears("StasisStart", "c1", "caller")
    for call in ("c2", "c3"):
        assert pbx.hears("StasisStart", call, "caller") == [f"POST channels/{call}/answer", f"POST channels/{call}/moh"]
    assert pbx.hears("ChannelDestroyed", "leg-c1")[0] == "POST channels PJSIP/agent-kim"
    assert pbx.hears("StasisStart", "leg-c2", "agent", "c2") == [
        "DELETE channels/c2/moh", "POST bridges", "POST bridges/call-c2/addChannel c2,leg-c2",
    ]  # fmt: skip
    with pytest.raises(RuntimeError, match="refused"):
        pbx.bare.hear({"type": "RESTResponse", "status_code": 500, "uri": "channels"})


# ---- callers in menus ----------------------------------------------------------------------------------------------


def _frames(*fillings: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.array([[filling] * 160 for filling in fillings], np.uint8)


def _walker(*presses: tuple[str, Press]) -> menus.Walker:
    line = CallerLine(RtpLine(1, 1), 0)
    line.to = ("127.0.0.1", 20_000)
    return menus.Walker(Leg("c", "", "", "", "1"), line, list(presses))


def _heard(*packets: tuple[float, int, int], port: int = 20_000) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """(milliseconds, sequence, what is in it)"""
    found = np.zeros(len(packets), HEARD)
    for row, (at, sequence, filling) in zip(found, packets, strict=True):
        row["at"], row["port"], row["sequence"] = int(at * 1e6), port, sequence
        row["digest"] = digests(_frames(filling))[0]
    return found


def _prompts() -> menus.Prompts:
    first, second = digests(_frames(1, 2)).tolist()
    known = sorted(((first, 1), (second, 2)))
    return menus.Prompts(
        np.array([digest for digest, _ in known], np.uint64), np.array([menu for _, menu in known], np.int64), 12.0
    )


def test_a_key_is_timed_to_the_first_audible_packet_of_the_menu_it_leads_to() -> None:
    walker = _walker(("2", Press("2", began=int(30e6), ended=int(130e6))))
    heard = _heard((0, 65_535, 1), (20, 0, 1), (40, 1, 1), (120, 2, 1), (140, 3, 0xFF), (160, 4, 2), (180, 5, 2))
    found = menus.figures(heard, [walker], _prompts())
    assert found["let go to sound p50, ms"] == 30
    assert found["pressed to sound p50, ms"] == 130
    assert found["packets of prompts"] == 2, "from 0 to 20, and from 160 to 180: nothing between key and prompt"
    assert (found["gaps over 60 ms, %"], found["keys without a prompt"]) == (0, 0)


def test_a_gap_is_a_gap_but_a_packet_that_did_not_arrive_is_none() -> None:
    press = Press("2", began=int(1e6), ended=int(2e6))
    heard = _heard((3, 0, 2), (23, 1, 2), (103, 2, 2), (123, 3, 2), (163, 5, 2), (183, 6, 2))
    found = menus.figures(heard, [_walker(("2", press))], _prompts())
    assert (found["packets of prompts"], found["gaps over 60 ms, %"]) == (4, 25)
    assert (found["longest gap, ms"], found["packets lost on the way, %"]) == (80, 25)


def test_a_key_after_which_nothing_new_was_heard_is_told() -> None:
    walker = _walker(
        ("2", Press("2", began=int(1e6), ended=int(2e6))), ("1", Press("1", began=int(30e6), ended=int(31e6)))
    )
    found = menus.figures(_heard((3, 0, 2), (23, 1, 2), (43, 2, 2)), [walker], _prompts())
    assert (found["keys"], found["keys without a prompt"]) == (1, 1)


def test_a_key_that_the_measuring_program_was_kept_from_sending_is_counted_but_not_timed() -> None:
    slow = Press("2", began=int(1e6), ended=int(300e6))
    walker = _walker(("2", slow), ("1", Press("1", began=int(400e6), ended=int(500e6))))
    found = menus.figures(_heard((203, 0, 2), (223, 1, 2), (505, 2, 1), (525, 3, 1)), [walker], _prompts())
    assert (found["keys"], found["keys that our phones were too slow for"]) == (1, 1)
    assert found["let go to sound p50, ms"] == 5


def test_the_menus_that_the_pbx_serves_alone_say_the_same_and_lead_to_all() -> None:
    commands = menus.plain_menus({"1": [Path("/s/a.wav"), Path("/s/b.wav")], "2": [Path("/s/c.wav")]})
    assert "dialplan add extension s,1,Background(/s/a&/s/b) into plain-menu-1 replace" in commands
    assert "dialplan add extension 2,1,Goto(plain-menu-2,s,1) into plain-menu-1 replace" in commands
    assert "dialplan add extension 1,1,Goto(plain-menu-1,s,1) into plain-menu-2 replace" in commands
    assert commands[-1] == "dialplan add extension 7100,2,Goto(plain-menu-1,s,1) into from-callers replace"


def test_what_the_pbx_does_alone_is_not_counted_as_ours() -> None:
    times = {"let go to sound p95, ms": 20.0, "pressed to sound p95, ms": 120.0}
    met = {**times, "callers": 5.0, "gaps over 60 ms, %": 0.0, "calls that ended": 0.0, "keys without a prompt": 0.0}
    found = {"quiet": met, "recognition at work": met, "many": met, menus.ALONE: {**met, "calls that ended": 3.0}}
    assert "missed" not in goals.report({"menus": found})
    assert "missed" in goals.report({"menus": {**found, "many": {**met, "calls that ended": 3.0}}})


def test_a_callers_sound_and_keys_are_rtp() -> None:
    """Five packets of a key that is held, and three that tell its end, each with the time of its beginning."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pbx, RtpLines.open(1) as lines:
        pbx.bind(("127.0.0.1", 0))
        pbx.settimeout(5)
        caller = lines.callers[0]
        caller.to = pbx.getsockname()
        sound = pbx.recv(2048)
        assert (sound[0], sound[1], sound[12:]) == (0x80, 0, b"\xff" * 160)
        press = caller.press("5")
        packets = [sound]
        while not (packets[-1][1] == 0 and any(packet[1] & 0x7F == EVENTS for packet in packets)):
            packets.append(pbx.recv(2048))
    assert [int.from_bytes(packet[2:4], "big") for packet in packets] == list(range(1, len(packets) + 1))
    key = [packet for packet in packets if packet[1] & 0x7F == EVENTS]
    assert [packet[12:] for packet in key] == [
        *(bytes([5, 10, held >> 8, held & 0xFF]) for held in (160, 320, 480, 640, 800)),
        *[bytes([5, 0x8A, 3, 0x20])] * 3,
    ]
    assert key[0][1] == EVENTS | 0x80
    assert len({packet[4:8] for packet in key}) == 1
    assert 0.08 < (press.ended - press.began) / 1e9 < 1


def test_what_comes_has_the_kernels_time() -> None:
    line = RtpLine(1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pbx:
        pbx.bind(("127.0.0.1", 0))
        sent = bytes([0x80, 0, 1, 2]) + bytes(8) + b"\x07" * 160
        pbx.sendto(sent, ("127.0.0.1", line.port))
        pbx.sendto(b"no sound", ("127.0.0.1", line.port))
        pbx.sendto(sent, ("127.0.0.1", line.port))
        line.fetch()
        (heard,) = line.heard
        assert heard["port"].tolist() == [pbx.getsockname()[1]] * 2
    assert heard["sequence"].tolist() == [0x0102] * 2
    assert heard["digest"].tolist() == digests(_frames(7, 7)).tolist()
    assert 0 <= int(heard["at"][1]) - int(heard["at"][0]) < 10**9
    line.close()


def test_the_menus_of_the_measurement_have_nothing_wrong_with_them() -> None:
    assert inspect(menus.flow_text(), "main.yaml", {"bench"}, {"ko": sentences("ko")}).errors == ()
