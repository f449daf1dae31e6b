"""What a person types, and what they are told when it was not quite right."""

import re
import stat
from pathlib import Path

import pytest
import typer

from changgu.app.cli import command_line, main
from changgu.app.data_folder import DataFolder, DeskKind
from changgu.app.running import announced, as_running
from changgu.app.settings import load

ROOT = Path(__file__).parents[2]

QUEUES = "name,title,number,strategy\nvpn,재택 접속,1010,longest_idle\n"
AGENTS = "login,name,queues,skills,phone\nkim,김하나,vpn;helpdesk,,register\nlee,이두리,vpn,cisco,browser\n"


class CommandLine:
    """Types commands for one data folder and reads what comes back."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def file(self, name: str, text: str) -> str:
        path = self.folder.parent / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def __call__(self, *words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--data", str(self.folder)])
        out, err = self._capsys.readouterr()
        return int(ended.value.code or 0), out, err


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(tmp_path / "desk", capsys)


def test_queues_and_agents_are_imported_and_every_new_agent_gets_a_password(typed: CommandLine) -> None:
    assert typed("queues", "import", typed.file("queues.csv", QUEUES))[0] == 0
    code, passwords, _ = typed("agents", "import", typed.file("agents.csv", AGENTS))

    assert code == 0
    assert [line.split()[0] for line in passwords.splitlines()] == ["kim", "lee"]
    assert "browser" in typed("agents", "list")[1]
    phone = dict(line.split(maxsplit=1) for line in typed("agents", "phone", "kim")[1].splitlines())
    assert phone["user"] == "agent-kim"
    assert len(phone["password"]) >= 24


def test_every_mistake_is_told_with_file_line_and_column_and_nothing_is_imported(typed: CommandLine) -> None:
    file = typed.file("agents.csv", "login,name,queues,phone\nkim,김하나,nowhere,register\nlee,,helpdesk,tel:1\n")

    code, out, err = typed("agents", "import", file)

    assert (code, out) == (1, "")
    assert f"{file}:2:queues: " in err
    assert f"{file}:3:name: " in err
    assert f"{file}:3:phone: " in err
    assert "nothing was imported" in err
    assert typed("agents", "list")[1] == ""


@pytest.mark.parametrize(
    "words",
    [
        ("agents", "import", "no-such-file.csv"),
        ("queues", "import", "."),
        ("agents", "phone", "nobody"),
        ("agents", "remove", "nobody"),
        ("accounts", "password", "nobody"),
        ("token", "revoke", "nobody"),
        ("up", "--config", "no-such-file.toml"),
        ("up", "--rtp-ports", "20000"),
        ("up", "--port", "99999"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_said_in_both_languages(typed: CommandLine, words: tuple[str, ...]) -> None:
    code, out, err = typed(*words)

    assert (code, out) == (1, "")
    korean, english = err.splitlines()
    assert re.search("[가-힣]", korean)
    assert not re.search("[가-힣]", english)
    assert "Errno" not in err


def test_a_phone_is_told_the_ports_that_the_running_service_was_given(typed: CommandLine) -> None:
    typed("agents", "import", typed.file("agents.csv", "login,name,queues\nkim,김하나,helpdesk\n"))
    typed.folder.joinpath("changgu.toml").write_text("[sip]\nport = 5070\n")
    given = load(None, {"data": typed.folder, "sip.port": 5371, "web.port": 8371})

    with DataFolder(typed.folder, DeskKind.REAL), announced(given):
        assert stat.S_IMODE((typed.folder / "running.json").stat().st_mode) == 0o600
        assert "server     127.0.0.1:5371\n" in typed("agents", "phone", "kim")[1]
        assert "password" not in (typed.folder / "running.json").read_text()
    assert "server     127.0.0.1:5070\n" in typed("agents", "phone", "kim")[1]
    assert not (typed.folder / "running.json").exists()


def test_an_import_knows_the_desk_number_that_the_running_service_was_given(typed: CommandLine) -> None:
    typed("queues", "list")
    clashing = typed.file("queues.csv", "name,title,number\nvpn,재택 접속,2000\n")
    given = load(None, {"data": typed.folder, "desk.number": "2000"})

    with DataFolder(typed.folder, DeskKind.REAL), announced(given):
        code, _, err = typed("queues", "import", clashing)
    assert (code, "2000" in err) == (1, True)


def test_what_a_service_that_was_killed_left_behind_is_believed_by_nobody(typed: CommandLine) -> None:
    typed("queues", "list")
    given = load(None, {"data": typed.folder, "sip.port": 5371})
    with announced(given):
        assert as_running(load(None, {"data": typed.folder})).sip.port == 5060


def test_a_token_is_shown_once_and_taken_back(typed: CommandLine) -> None:
    code, token, _ = typed("token", "create", "--name", "board", "--role", "agent")

    assert (code, token.startswith("changgu_")) == (0, True)
    listed = typed("token", "list")[1]
    assert "board  agent" in listed
    assert token.strip() not in listed
    assert typed("token", "revoke", "board")[0] == 0
    assert typed("token", "list")[1] == ""


def test_a_folder_that_a_command_made_is_nobody_elses(typed: CommandLine) -> None:
    typed("queues", "list")
    assert stat.S_IMODE(typed.folder.stat().st_mode) == 0o700


def test_every_command_that_the_documents_name_exists() -> None:
    top = typer.main.get_command(command_line())
    known = {name: set(getattr(command, "commands", {})) for name, command in getattr(top, "commands", {}).items()}
    launcher = {"test", "lock", "bench"}
    unknown = []
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        text = document.read_text(encoding="utf-8")
        for command, then in re.findall(r"\./changgu ([a-z]+)(?: ([a-z]+))?", text):
            if command not in {*known, *launcher} or (known.get(command) and then not in known[command]):
                unknown.append(f"{document.name}: ./changgu {command} {then}")
    assert unknown == []
