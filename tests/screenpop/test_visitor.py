"""Who may use the newcomer's phone."""

import pytest

from changgu.screenpop.visitor import VisitorPhone, may_visit, same_origin

HERE = {"host": "127.0.0.1:8000"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_somebody_at_this_machine_may_call(address: str, host: str) -> None:
    assert may_visit(VisitorPhone.LOOPBACK, address, {"host": host})


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.0.2.7", HERE),
        (None, HERE),
        ("127.0.0.1", {"host": "evil.example:8000"}),
        ("127.0.0.1", {}),
        ("127.0.0.1", {**HERE, "x-forwarded-for": "192.0.2.7"}),
        ("127.0.0.1", {**HERE, "forwarded": "for=192.0.2.7"}),
        ("127.0.0.1", {**HERE, "x-real-ip": "192.0.2.7"}),
        ("127.0.0.1", {**HERE, "via": "1.1 proxy"}),
    ],
)
def test_nobody_else_may_while_the_page_is_for_this_machine_only(
    address: str | None, headers: dict[str, str]
) -> None:
    assert not may_visit(VisitorPhone.LOOPBACK, address, headers)


def test_the_setting_opens_and_closes_the_page() -> None:
    assert may_visit(VisitorPhone.EVERYONE, "192.0.2.7", {"host": "desk.example"})
    assert not may_visit(VisitorPhone.OFF, "127.0.0.1", HERE)


def test_a_line_opened_by_a_foreign_page_is_told_by_its_origin() -> None:
    assert same_origin({**HERE, "origin": "http://127.0.0.1:8000"})
    assert not same_origin({**HERE, "origin": "http://evil.example"})
    assert not same_origin(HERE)
