"""When callers hung up while changgu was away, by what the dialplan noted."""

from pathlib import Path

from changgu.acd.identity import AgentId, CallId
from changgu.telephony.own_ends import End, OwnEnds, ends
from changgu.telephony.shadow_history import parse

C1 = CallId("d-1.0")
HUNGUP = "1795298570|d-1.0|NONE|NONE|HUNGUP|1000|0101"
ITSELF = "PJSIP/trunk-office-0000000a"


def told(text: str) -> dict[CallId, End]:
    return dict(ends(row for line in text.splitlines() if (row := parse(line)) is not None))


def test_who_hung_up_did_so_to_the_millisecond() -> None:
    assert told(f"{HUNGUP}|1795298570.123|{ITSELF}") == {C1: End(1795298570.123)}


def test_whose_agent_had_hung_up_before_says_so() -> None:
    assert told(f"{HUNGUP}|1795298569.999|PJSIP/agent-kim.o-2-0000000b") == {
        C1: End(1795298569.999, AgentId("kim.o-2")),
    }


def test_a_dialplan_of_before_tells_whole_seconds_and_so_does_one_that_cannot_be_believed() -> None:
    whole = {C1: End(1795298570.0)}

    assert told(HUNGUP) == told(f"{HUNGUP}||") == whole
    assert told(f"{HUNGUP}|1795298500.000|{ITSELF}") == told(f"{HUNGUP}|soon|{ITSELF}") == whole


def test_other_rows_tell_of_no_end() -> None:
    assert told("1795298570|d-1.0|network|NONE|ABANDON|1|1|3\n1795298571|d-1.0|NONE|NONE|GONE|") == {}


async def test_a_log_that_is_not_there_or_cannot_be_read_tells_of_nobody(tmp_path: Path) -> None:
    assert await OwnEnds(None)() == {}
    assert await OwnEnds(tmp_path / "none")() == {}
    assert await OwnEnds(tmp_path)() == {}
    (tmp_path / "queue_log").write_text(f"{HUNGUP}|1795298570.123|{ITSELF}\n")
    assert await OwnEnds(tmp_path / "queue_log")() == {C1: End(1795298570.123)}
