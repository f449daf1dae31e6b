"""The desk's line outside: nothing is dialled until somebody says by which line."""

from pathlib import Path

import pytest

from changgu.app.generated_secrets import secrets_of
from changgu.app.outside_settings import OutsideSettings
from changgu.app.pbx_settings import pbx_plan
from changgu.app.settings import Settings, SettingsError, load
from changgu.telephony.dial_plan import Dialable, Refusal

LINE = """
[sip.trunks]
carrier = ["203.0.113.5"]
office = ["203.0.113.9"]

[outside]
trunk = "carrier"
contact = "sip:203.0.113.5:5060"
user = "desk"
password = "a-long-secret"
deny = ["070"]
"""


def written(folder: Path, text: str) -> Settings:
    file = folder / "desk.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, {"data": folder})


def test_without_a_line_nothing_is_dialled() -> None:
    assert OutsideSettings().plan("").way("01012345678") is Refusal.NO_TRUNK


def test_the_line_that_is_named_carries_calls_out(tmp_path: Path) -> None:
    plan = written(tmp_path, LINE).outside.plan("^[1-9][0-9]{2,4}$", ("0215881234",))

    assert plan.way("010-1234-5678") == Dialable("01012345678", "PJSIP/01012345678@trunk-carrier")
    assert plan.way("070-1234-5678") is Refusal.DENIED
    assert plan.way("02-1588-1234") is Refusal.OWN
    assert plan.way("+1 202 555 0100") is Refusal.ABROAD


def test_only_that_line_of_the_pbx_can_be_dialled(tmp_path: Path) -> None:
    settings = written(tmp_path, LINE)
    carrier, office = pbx_plan(settings, secrets_of(tmp_path), None).trunks

    assert (carrier.contact, carrier.user, carrier.secret) == ("sip:203.0.113.5:5060", "desk", "a-long-secret")
    assert office.contact is None


def test_an_existing_pbx_is_told_how_to_dial() -> None:
    plan = OutsideSettings(dial="PJSIP/{number}@carrier").plan("")
    assert plan.way("0212345678") == Dialable("0212345678", "PJSIP/0212345678@carrier")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[outside]\ntrunk = "carrier"\n', "outside.contact"),
        ('[outside]\ntrunk = "carrier"\ncontact = "sip:203.0.113.5"\n', "carrier"),
        ('[outside]\nuser = "desk"\n', "outside.password"),
        ('[outside]\ndial = "PJSIP/carrier"\n', "dial string"),
        ('[outside]\nallow = ["a1"]\n', "beginning of a number"),
    ],
)
def test_half_a_line_is_refused_with_what_is_missing(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        written(tmp_path, text)
