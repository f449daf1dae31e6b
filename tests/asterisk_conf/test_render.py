"""The PBX's configuration: complete, least-privileged, and closed to whatever a name or an address may contain."""

import configparser
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.asterisk_conf.pbx_modules import AMI_EVENTS, AMI_EVENTS_OF_NOBODY, MODULES
from changgu.asterisk_conf.plan import (
    AgentPhone,
    Folders,
    PbxFloor,
    PbxPlan,
    PhoneKind,
    ShadowQueue,
    Trunk,
    agent_phone,
)
from changgu.asterisk_conf.render import FILES, FOR_EXISTING, RELOADS, NumberError, reloads_for, render
from changgu.telephony.dial_plan import Dialable, DialPlan
from changgu.telephony.legs import LEG_VARIABLE, PICKED_UP

SECRET = "not-a-real-secret"
FOLDERS = Folders("/d/etc", "/d/var", "/d/spool", "/d/run", "/d/log", "/pbx/modules", "/pbx/data", "/pbx/sbin")
PLAN = PbxPlan(FOLDERS, "desk1", "02:00:00:00:00:01", SECRET, SECRET, visitor_secret=SECRET)
FLOOR = PbxFloor(
    (
        agent_phone("alice", "register", SECRET),
        agent_phone("bob", "browser", SECRET),
        agent_phone("carol", "sip:201@192.0.2.9:5062", SECRET),
    ),
    (ShadowQueue("helpdesk", "1001", ("alice", "bob")), ShadowQueue("network", None, ("carol",), 15, 40)),
)


def lines(text: str) -> list[str]:
    """What Asterisk reads: no comments, no blank lines."""
    return [line for line in (line.split(";")[0].strip() for line in text.splitlines()) if line]


def section(text: str, name: str) -> list[str]:
    """The lines of every section of this name, whatever its template."""
    found: list[str] = []
    inside = False
    for line in lines(text):
        if line.startswith("["):
            inside = line.startswith(f"[{name}]")
        elif inside:
            found.append(line)
    return found


def test_every_file_is_rendered_and_says_what_it_is_for() -> None:
    files = render(PLAN, FLOOR)
    assert set(files) == set(FILES)
    for name, text in files.items():
        assert text.startswith("; "), name
        assert "{{" not in text
        assert "{%" not in text


def test_what_is_included_carries_no_general_section() -> None:
    """An Asterisk that is not ours has one of its own."""
    files = render(PLAN, FLOOR)
    assert not [name for name in FOR_EXISTING if "[general]" in files[name] or "[global]" in files[name]]


def test_equal_plans_give_equal_files_so_that_nothing_is_reloaded_for_nothing() -> None:
    assert render(PLAN, FLOOR) == render(replace(PLAN), FLOOR)


def test_the_management_interfaces_listen_on_loopback_and_grant_the_least() -> None:
    files = render(PLAN, FLOOR)
    manager, http, ari = files["manager.conf"], files["http.conf"], files["ari.conf"]
    assert "bindaddr = 127.0.0.1" in lines(manager)
    assert "webenabled = no" in lines(manager)
    assert "deny = 0.0.0.0/0.0.0.0" in lines(manager)
    granted = {word for line in lines(manager) if line.startswith(("read", "write")) for word in line[7:].split(",")}
    assert not granted & {"all", "command", "config", "originate", "dialplan", "agi", "security", "user"}
    assert "bindaddr = 127.0.0.1" in lines(http)
    assert "enable_status = no" in lines(http)
    assert "enable_static = no" in lines(http)
    assert "allowed_origins" not in "".join(lines(ari))
    assert "live_dangerously = no" in lines(files["asterisk.conf"])


def test_a_moments_pause_of_ours_does_not_cut_the_ari_line() -> None:
    """Asterisk drops a WebSocket that does not take what it writes; by default within a tenth of a second."""
    assert "websocket_write_timeout = 5000" in section(render(PLAN, FLOOR)["ari.conf"], "general")


def test_nothing_that_changgu_listens_for_is_kept_from_the_manager_line() -> None:
    """A disabled event reaches no session, whatever its filter says (`manager.conf`, disabledevents)."""
    (line,) = [line for line in lines(render(PLAN, FLOOR)["manager.conf"]) if line.startswith("disabledevents")]
    disabled = line.partition("=")[2].strip().split(",")
    assert sorted(disabled) == sorted(set(AMI_EVENTS_OF_NOBODY))
    assert not set(disabled) & set(AMI_EVENTS)


def test_the_pbx_gives_its_own_account_of_every_call() -> None:
    files = render(PLAN, FLOOR)
    assert {"enable = yes", "apps = queue"} <= set(section(files["cel.conf"], "general"))
    assert section(files["cel.conf"], "manager") == ["enabled = yes"]
    kinds = next(line for line in section(files["cel.conf"], "general") if line.startswith("events = "))
    assert {"CHAN_START", "ANSWER", "BRIDGE_ENTER", "HANGUP", "LINKEDID_END"} <= set(kinds[9:].split(","))
    assert "ALL" not in kinds
    assert "CHAN_END" not in kinds, "every HANGUP says it already"
    assert "DTMF" not in kinds, "keys may be secrets"
    assert "CEL" in AMI_EVENTS
    assert "eventfilter(action(include),name(CEL)) =" in lines(files["manager.conf"])
    assert "timestampevents = yes" in section(files["manager.conf"], "general"), "CEL itself tells whole seconds only"
    assert "cel_manager" in MODULES


def test_only_written_out_numbers_can_be_dialled() -> None:
    plan = replace(PLAN, desk_numbers=("1000", "15771000"))
    text = render(plan, FLOOR)["dialplan.conf"]

    callers = [line for line in section(text, "from-callers") if line.startswith("exten")]

    assert [line.split()[2].split(",")[0] for line in callers] == ["1000", "15771000", "1001", "h"]
    assert section(text, "from-agents") == ["include => from-callers"]
    assert not [line for line in lines(text) if re.match(r"exten => _", line)]
    assert "Dial(" not in text
    assert "System(" not in text


def test_a_caller_whom_changgu_cannot_take_goes_to_the_plain_queue_of_that_number() -> None:
    text = render(PLAN, FLOOR)["dialplan.conf"]
    callers = section(text, "from-callers")
    assert callers[:6] == [
        "exten => 1000,1,Ringing()",
        "same => n,Stasis(changgu,inbound,${EXTEN})",
        'same => n,GotoIf($["${STASISSTATUS}" = "SUCCESS"]?done)',
        "same => n,QueueLog(helpdesk,${UNIQUEID},NONE,DID,${EXTEN})",
        "same => n,Goto(shadow,helpdesk,1)",
        "same => n(done),Hangup()",
    ]
    assert section(text, "shadow")[:8] == [
        "exten => helpdesk,1,Set(SHADOW=helpdesk)",
        "same => n,Goto(shadow-door,count,1)",
        "same => n(in),Set(GROUP(shadow)=greeted)",
        "same => n,Answer()",
        "same => n,Set(GROUP(shadow)=waiting)",
        "same => n,Queue(helpdesk)",
        'same => n,GotoIf($["${QUEUESTATUS}" = "FULL"]?shadow-door,full,1)',
        "same => n,Hangup()",
    ]
    returned = section(text, "returned")
    assert returned[:2] == [
        "exten => helpdesk,1,QueueLog(helpdesk,${UNIQUEID},NONE,RETURNED)",
        "same => n,Stasis(changgu,returned,helpdesk)",
    ]
    assert "same => n,Goto(shadow,helpdesk,in)" in returned, "who waited there is not counted as one more"


def test_the_plain_queues_take_as_many_callers_as_the_desk_and_tell_those_who_are_too_many() -> None:
    plan = replace(PLAN, most_callers=40, told_at_once=4, full_sound="/d/prompts/full")
    assert section(render(plan, FLOOR)["dialplan.conf"], "shadow-door") == [
        "exten => count,1,Set(WAITING=${GROUP_COUNT(greeted@shadow)})",
        "same => n,Set(WAITING=$[${WAITING} + ${QUEUE_WAITING_COUNT(helpdesk)}])",
        "same => n,Set(WAITING=$[${WAITING} + ${QUEUE_WAITING_COUNT(network)}])",
        "same => n,GotoIf($[${WAITING} >= 40]?full,1)",
        "same => n,Goto(shadow,${SHADOW},in)",
        "exten => full,1,QueueLog(${SHADOW},${UNIQUEID},NONE,FULL,${FILTER(0-9+,${CALLERID(num)})})",
        "same => n,GotoIf($[${GROUP_COUNT(told@shadow)} >= 4]?busy)",
        "same => n,Set(GROUP(shadow)=told)",
        "same => n,Answer()",
        "same => n,Playback(/d/prompts/full)",
        "same => n,Hangup()",
        "same => n(busy),Hangup(17)",
        "exten => h,1,QueueLog(NONE,${UNIQUEID},NONE,GONE)",
    ]


def test_a_queue_that_is_full_at_a_length_is_full_at_it_while_changgu_is_away() -> None:
    files = render(PLAN, PbxFloor(FLOOR.phones, (ShadowQueue("network", "1002", ("carol",), most_waiting=5),)))
    assert "maxlen = 5" in section(files["shadow_queues.conf"], "network")
    assert section(files["dialplan.conf"], "shadow")[1] == (
        "same => n,GotoIf($[${QUEUE_WAITING_COUNT(network)} >= 5]?shadow-door,full,1)"
    )
    assert not [line for line in lines(render(PLAN, FLOOR)["shadow_queues.conf"]) if line.startswith("maxlen")]


def test_an_agent_who_picks_up_while_changgu_is_away_waits_for_it_for_half_a_minute() -> None:
    """Otherwise the phone of an agent who was quick would go dead in their hand, and the call would be missed."""
    text = render(PLAN, FLOOR)["dialplan.conf"]
    assert PICKED_UP == ("picked-up", "agent")
    assert section(text, "picked-up") == [
        f"exten => agent,1,Stasis(changgu,${{{LEG_VARIABLE}}})",
        'same => n,GotoIf($["${STASISSTATUS}" = "SUCCESS"]?done)',
        "same => n,Set(TRIES=$[0${TRIES} + 1])",
        "same => n,GotoIf($[${TRIES} > 30]?done)",
        "same => n,MusicOnHold(default,1)",
        "same => n,Goto(1)",
        "same => n(done),Hangup()",
    ]


def test_the_away_sound_is_played_before_the_plain_queue() -> None:
    text = render(replace(PLAN, away_sound="/d/prompts/away"), FLOOR)["dialplan.conf"]
    assert section(text, "shadow")[3:5] == ["same => n,Answer()", "same => n,Playback(/d/prompts/away)"]


def test_the_main_number_falls_back_to_the_first_queue_when_its_own_is_gone() -> None:
    floor = PbxFloor(FLOOR.phones, (ShadowQueue("network", "1002", ("carol",)),))
    assert "same => n,Goto(shadow,network,1)" in section(render(PLAN, floor)["dialplan.conf"], "from-callers")


def test_a_desk_without_queues_still_has_a_number() -> None:
    assert section(render(PLAN, PbxFloor())["dialplan.conf"], "from-callers") == [
        "exten => 1000,1,Ringing()",
        "same => n,Stasis(changgu,inbound,${EXTEN})",
        "same => n(done),Hangup()",
        'exten => h,1,GotoIf($["${AMI_CLIENT(changgu,sessions)}" != "0" | "${STASISSTATUS}" = "FAILED"]?known)',
        "same => n,QueueLog(NONE,${UNIQUEID},NONE,HUNGUP,"
        "${FILTER(0-9+,${CALLERID(dnid)})}|${FILTER(0-9+,${CALLERID(num)})}|${STRFTIME(,,%s.%3q)}|${CHANNEL(hangupsource)})",
        "same => n(known),NoOp()",
    ]


def test_a_number_leads_to_one_place_only() -> None:
    with pytest.raises(NumberError, match="1001"):
        render(replace(PLAN, desk_numbers=("1001",)), FLOOR)
    with pytest.raises(ValueError, match="queue number twice"):
        PbxFloor((), (ShadowQueue("a", "7", ()), ShadowQueue("b", "7", ())))


def test_each_kind_of_phone_gets_what_it_needs() -> None:
    phones = render(PLAN, FLOOR)["pjsip_phones.conf"]
    assert "[agent-alice](sip-phone)" in phones
    assert "[agent-alice](registered)" in phones
    assert "[agent-bob](browser-phone)" in phones
    assert "contact = sip:201@192.0.2.9:5062" in section(phones, "agent-carol")
    assert "webrtc = yes" in section(phones, "browser-phone")
    assert "bind_rtp_to_media_address = yes" in section(phones, "browser-phone")
    for login in ("alice", "bob", "carol"):
        assert f"password = {SECRET}" in section(phones, f"agent-{login}"), "anybody could pose as this phone"
        assert "context = from-agents" in section(phones, f"agent-{login}")
    assert "context = from-callers" in section(phones, "visitor")
    assert "context = from-callers" in section(phones, "anonymous")


def test_callers_phones_can_be_switched_off() -> None:
    phones = render(replace(PLAN, visitor_secret=None, anonymous_callers=False), FLOOR)["pjsip_phones.conf"]
    assert "[visitor]" not in phones
    assert "[anonymous]" not in phones


def test_a_trunk_is_known_by_its_addresses() -> None:
    phones = render(replace(PLAN, trunks=(Trunk("carrier", ("203.0.113.5", "2001:db8::/32")),)), FLOOR)[
        "pjsip_phones.conf"
    ]
    assert section(phones, "trunk-carrier")[-2:] == ["match = 203.0.113.5", "match = 2001:db8::/32"]
    assert "context = from-callers" in section(phones, "trunk-carrier")


def test_a_trunk_that_is_told_where_it_takes_calls_can_be_dialled_by_changgu_and_by_nobody_else() -> None:
    trunk = Trunk("carrier", ("203.0.113.5",), "sip:203.0.113.5:5060", "desk", "a-long-enough-secret")
    files = render(replace(PLAN, trunks=(trunk,)), FLOOR)
    phones = files["pjsip_phones.conf"]
    assert trunk.dial_string == "PJSIP/{number}@trunk-carrier"
    assert DialPlan(trunk.dial_string).way("01012345678") == Dialable("01012345678", "PJSIP/01012345678@trunk-carrier")
    assert phones.count("[trunk-carrier]") == 4
    for line in ("aors = trunk-carrier", "outbound_auth = trunk-carrier", "contact = sip:203.0.113.5:5060",
                 "username = desk"):  # fmt: skip
        assert line in phones
    assert "trunk-carrier" not in files["dialplan.conf"]


def test_a_trunk_that_only_brings_calls_cannot_be_dialled() -> None:
    trunk = Trunk("carrier", ("203.0.113.5",))
    assert trunk.dial_string is None
    assert "aors" not in " ".join(section(render(replace(PLAN, trunks=(trunk,)), FLOOR)["pjsip_phones.conf"],
                                          "trunk-carrier"))  # fmt: skip


@pytest.mark.parametrize(
    ("contact", "user", "secret"),
    [
        ("203.0.113.5", None, None), ("sip:203.0.113.5\ncontext = from-agents", None, None),
        ("sip:203.0.113.5", "desk", None), ("sip:203.0.113.5", None, "a-long-enough-secret"),
        ("sip:203.0.113.5", "desk\n[x]", "a-long-enough-secret"), ("sip:203.0.113.5", "desk", "short"),
    ],
)  # fmt: skip
def test_a_trunk_that_would_add_a_line_of_its_own_is_refused(
    contact: str, user: str | None, secret: str | None
) -> None:
    with pytest.raises(ValueError):
        Trunk("carrier", ("203.0.113.5",), contact, user, secret)


def test_the_name_of_a_phone_comes_before_its_address() -> None:
    """Otherwise a trunk or phone known by an address would swallow the REGISTER of a browser behind it."""
    assert "endpoint_identifier_order = username,ip,anonymous" in section(render(PLAN, FLOOR)["pjsip.conf"], "global")


def test_a_shadow_queue_has_the_same_agents_and_wakes_up_often() -> None:
    queues = render(PLAN, FLOOR)["shadow_queues.conf"]
    network = section(queues, "network")
    assert "member => PJSIP/agent-carol,0,carol,PJSIP/agent-carol" in network
    assert {"retry = 1", "timeout = 15", "wrapuptime = 40", "ringinuse = no", "joinempty = yes"} <= set(network)


def test_an_ipv6_address_is_bracketed_where_a_port_follows() -> None:
    assert "bind = [::1]:5060" in section(render(replace(PLAN, sip_bind="::1"), FLOOR)["pjsip.conf"], "transport-udp")


def test_ice_offers_loopback_in_place_of_the_host_s_own_addresses() -> None:
    rtp = render(replace(PLAN, host_addresses=("192.0.2.7",)), FLOOR)["rtp.conf"]
    assert section(rtp, "ice_host_candidates") == ["192.0.2.7 => 127.0.0.1"]
    assert "ice_host_candidates" not in render(replace(PLAN, media_address=None), FLOOR)["rtp.conf"]


def test_no_module_is_named_twice_and_nothing_is_loaded_by_itself() -> None:
    assert len(MODULES) == len(set(MODULES))
    parser = configparser.ConfigParser(strict=False)
    parser.read_string(render(PLAN, FLOOR)["modules.conf"])
    assert parser["modules"]["autoload"] == "no"


def test_a_change_of_the_floor_never_takes_a_restart() -> None:
    before, after = render(PLAN, FLOOR), render(PLAN, PbxFloor())
    assert reloads_for({name for name in before if before[name] != after[name]}) == [
        "app_queue.so",
        "res_pjsip.so",
        "pbx_config.so",
    ]
    assert reloads_for(set()) == []
    assert reloads_for({"shadow_queues.conf", "pjsip.conf"}) is None
    assert set(RELOADS) <= set(FILES)
    assert set(FOR_EXISTING) <= set(RELOADS)


UNSAFE = st.text(min_size=1).filter(lambda text: re.search(r"[\s;\[\]=>,(){}$#\"'\\/]|[^\x21-\x7e]", text) is not None)


@given(UNSAFE)
def test_no_name_can_add_a_line_to_the_configuration(text: str) -> None:
    with pytest.raises(ValueError):
        agent_phone(text, "register", SECRET)
    with pytest.raises(ValueError):
        ShadowQueue(text, None, ())
    with pytest.raises(ValueError):
        ShadowQueue("a", text, ())
    with pytest.raises(ValueError):
        AgentPhone("alice", PhoneKind.REGISTER, f"{SECRET}{text}")


@pytest.mark.parametrize(
    "address",
    [
        "sip:a@b\nallow=all",
        "sip:a@b;tag=1",
        "sip:a@b]",
        "http://a",
        "sip:a@b, sip:c@d",
        "sip:",
        "sip:a b@c",
        "PJSIP/1",
        "sip:a@b:123456",
    ],
)
def test_an_address_is_a_sip_address_and_nothing_else(address: str) -> None:
    with pytest.raises(ValueError, match="sip address"):
        agent_phone("carol", address, SECRET)


@pytest.mark.parametrize(
    "address", ["sip:201@192.0.2.9", "sip:pbx.example.org:5080", "sips:a@b.c;transport=tcp", "sip:a@[2001:db8::1]:5060"]
)
def test_usual_sip_addresses_are_taken(address: str) -> None:
    assert agent_phone("carol", address, SECRET).kind is PhoneKind.FIXED


def test_an_agent_without_a_phone_cannot_serve_a_queue() -> None:
    with pytest.raises(ValueError, match="dave"):
        render(PLAN, PbxFloor((), (ShadowQueue("helpdesk", None, ("dave",)),)))


def test_the_note_beside_a_fax_is_never_found_half_written(tmp_path: Path) -> None:
    """changgu takes the pages as the note says: from an empty one it would read that they are for nobody."""
    dialplan = render(replace(PLAN, fax_folder=str(tmp_path), fax_number="1009"), FLOOR)["dialplan.conf"]
    (written,) = re.findall(r"System\((printf .*)\)", dialplan)
    command = re.sub(r"\$\{FILTER\(.*?,\$\{(\w+)(?:\(\w+\))?\}\)\}", r"\1", written).replace("${UNIQUEID}", "c1")
    note = tmp_path / "c1.fax"
    note.write_text("the one before")

    with note.open() as found_earlier:
        subprocess.run(["sh", "-c", command], check=True)
        assert found_earlier.read() == "the one before", "it was exchanged, and not written over"

    assert note.read_text() == "FAXSTATUS|FAXPAGES|FAXQUEUE|CALLERID"
    assert list(tmp_path.iterdir()) == [note]
