"""Lists of queues and agents: whole or not at all, and every mistake where it is."""

from datetime import timedelta

import pytest

from changgu.acd.identity import AgentId, QueueName
from changgu.acd.imports import read_agents, read_queues
from changgu.acd.queues import Agent, Floor, Queue, TicketPolicy
from changgu.acd.strategies import STRATEGIES
from changgu.ground.csv_rows import RowErrors

FLOOR = Floor(
    (
        Queue(QueueName("network"), "네트워크", "1002", wrap_up=timedelta(seconds=45)),
        Queue(QueueName("pc"), "PC", "1003"),
    ),
    (Agent(AgentId("alice"), "김지은", frozenset({QueueName("pc")}), frozenset({"vpn"}), "browser"),),
)


def queues(text: str) -> list[Queue]:
    return read_queues("queues.csv", text.encode(), FLOOR, {"1000": "대표번호"})


def agents(text: str) -> list[Agent]:
    return read_agents("agents.csv", text.encode(), FLOOR)


def test_a_queue_with_every_column() -> None:
    (queue,) = queues(
        "name,title,number,strategy,ring_seconds,wrap_up_seconds,misses_before_not_ready,ticket,record,"
        "service_level_seconds,short_abandon_seconds\n"
        "vpn,원격접속,1010,longest_idle,15,0,2,ask,no,30,6\n"
    )
    assert queue == Queue(
        QueueName("vpn"), "원격접속", "1010", "longest_idle", timedelta(seconds=15), timedelta(0), 2, TicketPolicy.ASK,
        record=False, service_level=timedelta(seconds=30), short_abandon=timedelta(seconds=6),
    )  # fmt: skip


def test_the_shortest_list_of_queues_takes_the_defaults() -> None:
    assert queues("name,title\nvpn,원격접속\n") == [Queue(QueueName("vpn"), "원격접속")]


def test_a_column_that_is_not_in_the_file_leaves_what_was_there() -> None:
    (queue,) = queues("name,title\nnetwork,통신망\n")
    assert (queue.title, queue.number, queue.wrap_up) == ("통신망", "1002", timedelta(seconds=45))


def test_an_agent_with_every_column() -> None:
    (agent,) = agents("login,name,queues,skills,phone\nbob,박준호,network;pc,vpn:7;원격;c++:10,sip:bob@10.0.0.7:5062\n")
    assert agent == Agent(
        AgentId("bob"), "박준호", frozenset({QueueName("network"), QueueName("pc")}),
        frozenset({"vpn:7", "원격", "c++:10"}), "sip:bob@10.0.0.7:5062",
    )  # fmt: skip


def test_a_second_import_changes_the_agent_and_keeps_what_the_file_does_not_name() -> None:
    (agent,) = agents("login,name,queues\nalice,김지은,network\n")
    assert (agent.queues, agent.skills, agent.phone) == (frozenset({"network"}), frozenset({"vpn"}), "browser")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_files_as_korean_spreadsheets_save_them(encoding: str) -> None:
    content = "login,name,queues,skills,phone\nbob,박준호,network,,register\n".encode(encoding)
    assert read_agents("a.csv", content, FLOOR) == [
        Agent(AgentId("bob"), "박준호", frozenset({QueueName("network")}), frozenset(), "register")
    ]


def test_headings_may_be_korean() -> None:
    (agent,) = agents("아이디,이름,담당대기열,기술,전화\nbob,박준호,network,,browser\n")
    assert (agent.login, agent.phone) == ("bob", "browser")


def test_an_empty_cell_does_not_hide_the_mistakes_of_other_rows_and_columns() -> None:
    assert mistakes("name,title,number\n,원격접속,x\nvpn,,1010\nVPN,원격접속,1003\n", of_queues=True) == [
        (2, "name"), (2, "number"), (3, "title"), (4, "name"), (4, "number"),
    ]  # fmt: skip
    assert mistakes("login,name,queues\n,박준호,nowhere\nbob,,network\nBOB,박준호,network\n") == [
        (2, "login"), (2, "queues"), (3, "name"), (4, "login"),
    ]  # fmt: skip


def test_two_queues_without_a_name_cannot_have_one_number_either() -> None:
    assert mistakes("name,title,number\n,원격접속,1010\n,통신망,1010\n", of_queues=True) == [
        (2, "name"), (3, "name"), (3, "number"),
    ]  # fmt: skip


def mistakes(text: str, *, of_queues: bool = False) -> list[tuple[int, str]]:
    with pytest.raises(RowErrors) as refused:
        (queues if of_queues else agents)(text)
    assert all(error.ko and error.en and error.file.endswith(".csv") for error in refused.value.errors)
    return [(error.line, error.column) for error in refused.value.errors]


def test_every_mistake_of_a_list_of_agents_is_named_at_once() -> None:
    assert mistakes(
        "login,name,queues,skills,phone\n"
        "bob,박준호,netwrok;pc,vpn,register\n"
        "carol,최유진,pc,vpn,fax\n"
        'dave,"",pc,vpn,browser\n'
    ) == [(2, "queues"), (3, "phone"), (4, "name")]
    assert mistakes(
        "login,name,queues,skills,phone\n"
        "bob,박준호,netwrok;pc,vpn,register\n"
        "carol,최유진,pc,vpn,fax\n"
        "BOB,박준호,pc,v/pn,browser\n"
        "Alice,김지은,pc,,browser\n"
        "나래,이나래,pc,,browser\n"
    ) == [(2, "queues"), (3, "phone"), (4, "skills"), (4, "login"), (5, "login"), (6, "login")]


@pytest.mark.parametrize(
    "phone",
    [
        "5001", "sip:", "sip:bob@", "tel:010", "sip:bob@host\n[evil]", "sip:bob@host;transport=ws", "sip:b b@host",
        "sip:bob@host,PJSIP/x", "PJSIP/alice", "sip:bob@-", "sip:bob@host;user=phone&x",
    ],
)  # fmt: skip
def test_a_phone_that_is_no_phone_is_refused(phone: str) -> None:
    assert mistakes(f'login,name,phone\nbob,박준호,"{phone}"\n') == [(2, "phone")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("strategy", "loudest"), ("ring_seconds", "0"), ("ring_seconds", "-5"), ("ring_seconds", "1e3"),
        ("ring_seconds", "nan"), ("wrap_up_seconds", "3601"), ("ticket", "sometimes"), ("record", "maybe"),
        ("number", "1002"), ("number", "1000"), ("number", "내선3"), ("misses_before_not_ready", "0"),
    ],
)  # fmt: skip
def test_a_wrong_cell_of_a_queue_is_refused(column: str, value: str) -> None:
    assert mistakes(f"name,title,{column}\nvpn,원격접속,{value}\n", of_queues=True) == [(2, column)]


@pytest.mark.parametrize(
    "skill", ["vpn:0", "vpn:11", "vpn:", ":7", "vpn:07", "vpn:high", "v/pn", "vpn:7;vpn:3", "vpn;vpn:1"]
)
def test_a_skill_that_cannot_be_read_is_refused(skill: str) -> None:
    assert mistakes(f"login,name,skills\nbob,박준호,{skill}\n") == [(2, "skills")]


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_list_may_name_every_strategy(strategy: str) -> None:
    (queue,) = queues(f"name,title,strategy\nvpn,원격접속,{strategy}\n")
    assert queue.strategy == strategy


def test_two_queues_cannot_have_one_number_or_one_name() -> None:
    assert mistakes("name,title,number\na,A,7\nb,B,7\n", of_queues=True) == [(3, "number")]
    assert mistakes("name,title,number\na,A,7\nA,B,8\n", of_queues=True) == [(3, "name")]


def test_two_queues_may_swap_their_numbers() -> None:
    swapped = queues("name,title,number\nnetwork,네트워크,1003\npc,PC,1002\n")
    assert [queue.number for queue in swapped] == ["1003", "1002"]


def test_a_queues_name_must_do_for_the_pbx() -> None:
    assert mistakes("name,title\n네트워크,네트워크\n", of_queues=True) == [(2, "name")]


def test_a_missing_column_is_named() -> None:
    assert mistakes("login,queues\nbob,pc\n") == [(1, "name")]
