"""`changgu acd check` and `describe`: what a person is told about their routing rules before the desk is."""

import signal
from pathlib import Path
from random import Random

import pytest

from changgu.app.cli import main
from changgu.app.data_folder import DataFolder, DeskKind
from changgu.app.demo.organisation import organisation
from changgu.app.reloaded import Reloaded, answer, take_wishes

AGENTS = "login,name,queues,skills\nalice,김지은,network;helpdesk,vpn:7;english\nbob,박준호,network;helpdesk,vpn\n"


class CommandLine:
    """Types commands for one data folder and reads what comes back."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.rules = folder / "routing.toml"
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--data", str(self.folder)])
        out, err = self._capsys.readouterr()
        return int(ended.value.code or 0), out, err


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    typed = CommandLine(tmp_path / "desk", capsys)
    (tmp_path / "agents.csv").write_text(AGENTS, encoding="utf-8")
    assert typed("agents", "import", str(tmp_path / "agents.csv"))[0] == 0
    return typed


def test_the_example_that_is_printed_fits_a_new_desk_with_two_agents(
    typed: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["acd", "describe"])
    assert not ended.value.code
    typed.rules.write_text(capsys.readouterr().out, encoding="utf-8")

    code, out, _ = typed("acd", "check")
    assert (code, out.splitlines()[0]) == (0, f"{typed.rules}: ok")
    assert "[주의 · warning] queue.helpdesk: number:0221330000" in out, "there is no line outside yet"


MENU_WITHOUT_SERVICES = """flow: main
title: 대표번호
start: operator
person: operator

nodes:
  operator:
    kind: to_queue
    queue: helpdesk
"""


@pytest.mark.parametrize("agents", ["the example organisation's", "with a skill of their own", "none yet"])
def test_the_example_printed_for_a_desk_can_be_taken_up_there_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], agents: str
) -> None:
    """A newcomer copies it; names that nobody has there would refuse the whole file."""
    typed, demo = CommandLine(tmp_path / "desk", capsys), organisation(Random(1), people=1, tickets=1)
    tables = {
        "the example organisation's": demo.agents_csv,
        "with a skill of their own": b"login,name,queues,skills\nkim,Kim,network;helpdesk,german:3\nlee,Lee,helpdesk,",
        "none yet": None,
    }
    for kind, table in (("queues", demo.queues_csv), ("agents", tables[agents])):
        if table is not None:
            (tmp_path / kind).write_bytes(table)
            assert typed(kind, "import", str(tmp_path / kind))[0] == 0

    code, out, _ = typed("acd", "describe")
    typed.rules.write_text(out, encoding="utf-8")
    checked, said, _ = typed("acd", "check")

    ok = f"{typed.rules}: ok"
    mistakes = [line for line in said.splitlines() if line != ok and "warning" not in line]
    assert (code, checked, mistakes) == (0, 0, [])
    assert ok in said.splitlines()
    assert ('drop = ["german"]' in out) == (agents == "with a skill of their own")
    assert ("# [agent.alice]" in out) == (agents == "none yet")
    assert "\nstrategy = " in out, "it is no mere comment"


def test_what_the_example_cannot_name_on_a_desk_is_said_and_nothing_of_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = CommandLine(tmp_path / "desk", capsys)
    (tmp_path / "agents.csv").write_text(AGENTS, encoding="utf-8")
    assert typed("agents", "import", str(tmp_path / "agents.csv"))[0] == 0
    (typed.folder / "menus").mkdir()
    (typed.folder / "menus" / "main.yaml").write_text(MENU_WITHOUT_SERVICES, encoding="utf-8")

    _, out, err = typed("acd", "describe")
    typed.rules.write_text(out, encoding="utf-8")
    checked, said, _ = typed("acd", "check")

    assert "routing.toml:" in err
    assert "services" in err
    assert (checked, said) == (0, f"{typed.rules}: ok\n")


def test_without_a_file_there_is_nothing_to_mend(typed: CommandLine) -> None:
    code, out, err = typed("acd", "check")
    assert (code, out) == (0, "routing.toml: ok\n")
    assert "the defaults are in force" in err


def test_a_folder_that_is_not_there_is_not_made_by_looking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["acd", "check", "--data", str(tmp_path / "tpyo")])
    assert ended.value.code == 1
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "tpyo").exists()


def test_every_mistake_is_printed_and_the_command_fails(typed: CommandLine, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[queue.network]\nprioritty = 1\nkeys = { 1 = "menu:nowhere" }\n', encoding="utf-8")
    code, out, _ = typed("acd", "check", str(other))
    assert code == 1
    assert [line.partition(": ")[0] for line in out.splitlines()] == [
        f"{other}:2:queue.network.prioritty", f"{other}:3:queue.network.keys.1",
    ]  # fmt: skip

    code, out, _ = typed("acd", "check", str(tmp_path / "missing.toml"))
    assert code == 1
    assert "cannot be read" in out


def test_a_menu_with_mistakes_is_mentioned(typed: CommandLine) -> None:
    (typed.folder / "menus").mkdir()
    (typed.folder / "menus" / "main.yaml").write_text("flow: main", encoding="utf-8")
    typed.rules.write_text('[queue.network]\nkeys = { 1 = "menu:anything" }\n', encoding="utf-8")
    code, out, _ = typed("acd", "check")
    assert code == 0
    assert "the menu has mistakes, its nodes were not checked" in out


def test_an_agent_whom_the_rules_name_is_not_taken_away_under_them(typed: CommandLine) -> None:
    typed.rules.write_text("[agent.bob]\nwrap_up = 5\n", encoding="utf-8")
    code, _, err = typed("agents", "remove", "bob")
    assert code == 1
    assert "agent.bob: 없는 요원입니다." in err
    assert "bob" in typed("agents", "list")[1]
    typed.rules.write_text("", encoding="utf-8")
    assert typed("agents", "remove", "bob")[0] == 0


def test_a_reload_says_what_was_changed_or_refused_with_file_line_and_sentence(typed: CommandLine) -> None:
    """Item "Bad input" of the rules: who changes them must not have to look for the answer in a log."""
    code, _, err = typed("reload")
    assert code == 1
    assert "No changgu runs" in err

    answers = iter([
        Reloaded(taken_up=True, lines=("queue.network.priority: 0 → 3",)),
        Reloaded(taken_up=False, lines=("routing.toml:2:queue.x: 없는 대기열입니다. (no such queue)",)),
        Reloaded(taken_up=True),
    ])  # fmt: skip
    before = signal.signal(signal.SIGHUP, lambda *_: answer(typed.folder, take_wishes(typed.folder), next(answers)))
    try:
        with DataFolder(typed.folder, DeskKind.REAL):
            told, refused, nothing = typed("reload"), typed("reload"), typed("reload")
    finally:
        signal.signal(signal.SIGHUP, before)

    assert told == (0, "queue.network.priority: 0 → 3\n적용했습니다 · taken up\n", "")
    assert refused[:2] == (1, "routing.toml:2:queue.x: 없는 대기열입니다. (no such queue)\n")
    assert "everything is as it was" in refused[2]
    assert list((typed.folder / "reloads").iterdir()) == []
    assert nothing[:2] == (0, "적용했습니다 · taken up: 바뀐 것이 없습니다 · nothing has changed\n")
