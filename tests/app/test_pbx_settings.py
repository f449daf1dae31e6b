"""What the PBX is told of the desk, so that it keeps to it alone while changgu is away."""

from pathlib import Path

import pytest

from changgu.acd.facts import Departure
from changgu.acd.identity import QueueName
from changgu.acd.queues import Destination, Floor, Overflow, Queue, Way
from changgu.app.generated_secrets import secrets_of
from changgu.app.pbx_settings import pbx_floor, pbx_plan
from changgu.app.settings import SettingsError, load
from changgu.asterisk_conf.render import render


def test_the_plain_queues_are_bounded_as_the_desk_is(tmp_path: Path) -> None:
    (tmp_path / "changgu.toml").write_text(f'data = "{tmp_path}"\n[desk]\nmost_callers = 40\n')
    plan = pbx_plan(load(tmp_path / "changgu.toml"), secrets_of(tmp_path), None, full_sound=Path("/sounds/full"))

    assert (plan.most_callers, plan.told_at_once, plan.full_sound) == (40, 4, "/sounds/full")


def test_a_plain_queue_is_full_where_the_queues_own_rules_first_say_so() -> None:
    rules = (
        Overflow(Departure.FULL, Destination(Way.VOICEMAIL), 12),
        Overflow(Departure.FULL, Destination(Way.REFUSE), 30),
        Overflow(Departure.WAITED, Destination(Way.VOICEMAIL), 5),
    )
    floor = Floor((Queue(QueueName("network"), "네트워크", overflows=rules), Queue(QueueName("pc"), "PC")))

    assert [queue.most_waiting for queue in pbx_floor(floor, {}).queues] == [12, 0]


def test_the_dialplan_of_an_existing_pbx_looks_for_the_user_by_whom_changgu_logs_in(tmp_path: Path) -> None:
    existing = {
        "data": tmp_path, "pbx.kind": "existing", "pbx.ari_url": "http://10.0.0.2:8088/ari", "pbx.ari_password": "a",
        "pbx.ami_host": "10.0.0.2", "pbx.ami_password": "b",
    }  # fmt: skip
    plan = pbx_plan(load(None, {**existing, "pbx.ami_user": "crm.desk"}), secrets_of(tmp_path), None)
    rendered = render(plan, pbx_floor(Floor((Queue(QueueName("pc"), "PC"),)), {}))
    assert "AMI_CLIENT(crm.desk,sessions)" in rendered["dialplan.conf"]

    with pytest.raises(SettingsError, match="ami_user"):
        load(None, {**existing, "pbx.ami_user": "crm)desk"})
