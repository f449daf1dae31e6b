"""The PBX's files are those of the last time, unless anything they are made of has changed."""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import Agent, Floor, Queue
from changgu.app.generated_secrets import secrets_of
from changgu.app.pbx_files import KEPT, configuration
from changgu.app.pbx_settings import pbx_plan
from changgu.app.settings import load
from changgu.asterisk_conf.plan import PbxPlan

FLOOR = Floor(
    (Queue(QueueName("helpdesk"), "안내", "2001"),),
    (Agent(AgentId("kim"), "김", frozenset({QueueName("helpdesk")}), phone="register"),),
)
PASSWORDS = {AgentId("kim"): "a-password-of-sixteen"}


@pytest.fixture
def plan(tmp_path: Path) -> PbxPlan:
    return pbx_plan(load(None, {"data": tmp_path}), secrets_of(tmp_path), None)


def marked(folder: Path) -> None:
    """What was kept says something that no template says."""
    kept = json.loads((folder / KEPT).read_text())
    kept["files"]["pjsip.conf"] = "; kept"
    (folder / KEPT).write_text(json.dumps(kept))


def test_a_start_finds_the_files_of_the_last_one(plan: PbxPlan, tmp_path: Path) -> None:
    made = configuration(plan, FLOOR, PASSWORDS, tmp_path)
    assert made == configuration(plan, FLOOR, PASSWORDS)
    assert (tmp_path / KEPT).stat().st_mode & 0o077 == 0, "it has the secrets that stand in the files"
    marked(tmp_path)

    assert configuration(plan, FLOOR, PASSWORDS, tmp_path) == {**made, "pjsip.conf": "; kept"}


def test_another_floor_plan_or_password_makes_them_anew(plan: PbxPlan, tmp_path: Path) -> None:
    for other, floor, passwords in (
        (plan, replace(FLOOR, agents=()), PASSWORDS),
        (replace(plan, sip_port=5999), FLOOR, PASSWORDS),
        (plan, FLOOR, {AgentId("kim"): "another-password-1234"}),
    ):
        configuration(plan, FLOOR, PASSWORDS, tmp_path)
        marked(tmp_path)

        assert configuration(other, floor, passwords, tmp_path) == configuration(other, floor, passwords)


@dataclass(frozen=True, slots=True, repr=False)
class ShyPlan(PbxPlan):
    """The same, and says nothing of it."""

    def __repr__(self) -> str:
        return "<hidden>"


def test_what_is_kept_depends_on_what_is_set_and_not_on_how_it_is_shown(plan: PbxPlan, tmp_path: Path) -> None:
    shy = ShyPlan(**{one.name: getattr(plan, one.name) for one in fields(plan)})
    configuration(plan, FLOOR, PASSWORDS, tmp_path)
    marked(tmp_path)

    assert configuration(shy, FLOOR, PASSWORDS, tmp_path)["pjsip.conf"] == "; kept"
    other = configuration(replace(shy, ari_password="another-password-1234"), FLOOR, PASSWORDS, tmp_path)
    assert "another-password-1234" in other["ari.conf"]
    assert other["pjsip.conf"] != "; kept"


@pytest.mark.parametrize("broken", ["", "{}", '{"of": 1}', "no JSON"])
def test_what_was_kept_and_cannot_be_read_is_made_anew(plan: PbxPlan, tmp_path: Path, broken: str) -> None:
    first = configuration(plan, FLOOR, PASSWORDS, tmp_path)
    (tmp_path / KEPT).write_text(broken)

    assert configuration(plan, FLOOR, PASSWORDS, tmp_path) == first


def test_the_very_first_start_keeps_them_for_the_second(plan: PbxPlan, tmp_path: Path) -> None:
    configuration(plan, FLOOR, PASSWORDS, tmp_path / "pbx" / "etc")

    assert (tmp_path / "pbx" / "etc" / KEPT).is_file()
    assert (tmp_path / "pbx" / "etc").stat().st_mode & 0o077 == 0


def test_without_a_folder_to_keep_them_in_they_are_made_all_the_same(plan: PbxPlan, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file, and no folder")
    made = configuration(plan, FLOOR, PASSWORDS, tmp_path / "full")

    assert made == configuration(plan, FLOOR, PASSWORDS)
