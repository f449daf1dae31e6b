"""All ways of writing one number are one person; nothing that the network sends can break the reader."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from changgu.directory.numbers import Numbering, NumberKind

NUMBERING = Numbering("KR", r"[1-9]\d{3}")


@pytest.mark.parametrize(
    "written",
    [
        "010-1234-5678",
        "01012345678",
        "010 1234 5678",
        "010.1234.5678",
        "010/1234/5678",
        "(010) 1234-5678",
        "+82 10 1234 5678",
        "+821012345678",
        "+82-010-1234-5678",
        "+82 (0)10-1234-5678",
        "+01012345678",
        "008210 1234 5678",
        "0082-010-1234-5678",
        "00182-10-1234-5678",
        "00700-82-10-1234-5678",
        "82-10-1234-5678",
        "821012345678",
        "82010-1234-5678",
        "０１０－１２３４－５６７８",
        "٠١٠-١٢٣٤-٥٦٧٨",
        "010\u20131234\u20145678",
        "010\u00a01234\u30005678",
        "\u200e010-1234-5678\u200f",
        "\u202a010-1234-5678\u202c",
        "  010-1234-5678\r\n",
        "휴대폰 010-1234-5678",
        "tel:+82-10-1234-5678",
        "sip:01012345678@192.0.2.7",
        "sip:+821012345678@host;user=phone",
        "sips:%2B821012345678@host:5061",
        '"홍길동" <sip:01012345678@host>',
        "홍길동 <010-1234-5678>",
        '"010-9999-9999" <sip:01012345678@host;tag=1>',
    ],
)
def test_every_way_of_writing_a_mobile_number_is_the_same_number(written: str) -> None:
    assert NUMBERING.canonical(written) == "+821012345678"


@pytest.mark.parametrize(
    ("canonical", "shown", "written"),
    [
        ("+8221001234", "02-100-1234", ["02-100-1234", "021001234", "+82 2 100 1234", "+82-02-100-1234"]),
        ("+82221001234", "02-2100-1234", ["02-2100-1234", "+82-2-2100-1234"]),
        ("+82311234567", "031-123-4567", ["031-123-4567", "+82 31 123 4567", "82-031-123-4567"]),
        ("+827012345678", "070-1234-5678", ["070-1234-5678", "+827012345678"]),
        ("+82801234567", "080-123-4567", ["080-123-4567", "0801234567"]),
        ("+8215881234", "1588-1234", ["1588-1234", "15881234", "+82 1588-1234", "02-1588-1234", "031-1588-1234"]),
        ("+8216001234", "1600-1234", ["1600 1234"]),
        ("+8218001234", "1800-1234", ["1800-1234", "82-1800-1234"]),
        ("+825051234567", "0505-123-4567", ["0505-123-4567", "+82 505 123 4567"]),
        ("+8250712345678", "0507-1234-5678", ["0507-1234-5678"]),
        ("ext:1234", "내선 1234", ["1234", "내선번호: 1234", "ext. 1234", "Ext:1234", "sip:1234@pbx", "12-34"]),
        ("+16502530000", "+1 650-253-0000", ["+1 (650) 253-0000", "001 1 650 253 0000", "0016502530000"]),
    ],
)
def test_offices_nationwide_numbers_extensions_and_foreign_numbers_are_known_and_shown_the_korean_way(
    canonical: str, shown: str, written: list[str]
) -> None:
    assert {NUMBERING.canonical(form) for form in [*written, canonical, shown]} == {canonical}
    assert NUMBERING.display(canonical) == shown


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        " ",
        "anonymous",
        "Anonymous <sip:anonymous@anonymous.invalid>",
        "unknown",
        "<unknown>",
        "발신번호표시제한",
        "0",
        "000",
        "0000000000",
        "119",
        "*123#",
        "123-4567",
        "+",
        "+++",
        "99999",
        "내선 99999",
        "010-1234-5678 or 02-100-1234",
        "010-1234-5678\x00",
        "010\r\n1234",
        "010-1234-5678'; DROP TABLE people",
        "sip:@",
        "sip:%00@x",
        "\ud800",
        "1" * 65536,
        "+82" + "0" * 65536,
        "<" * 65536,
    ],
)
def test_a_withheld_number_or_garbage_is_nobody(written: str | None) -> None:
    assert NUMBERING.canonical(written) is None


def test_extensions_exist_only_where_the_site_has_them() -> None:
    assert Numbering("KR", "").canonical("1234") is None
    assert Numbering("KR", r"7\d{4}").canonical("71234") == "ext:71234"
    assert Numbering("KR", r"7\d{4}").canonical("1234") is None
    with pytest.raises(ValueError, match="region"):
        Numbering("Korea", "")
    with pytest.raises(ValueError, match="regular expression"):
        Numbering("KR", "(")


@pytest.mark.parametrize(
    ("canonical", "kind"),
    [("+821012345678", NumberKind.MOBILE), ("+8221001234", NumberKind.DESK), ("ext:1234", NumberKind.EXTENSION)],
)
def test_the_kind_of_telephone_is_told_from_the_number(canonical: str, kind: NumberKind) -> None:
    assert NUMBERING.kind(canonical) is kind


AREAS = ["2", "31", "32", "41", "51", "53", "62", "64", "70", "10"]


@given(
    area=st.sampled_from(AREAS),
    exchange=st.integers(2000, 9999),
    line=st.integers(0, 9999),
    separator=st.sampled_from(["", "-", " ", ".", "/", "–", "－", "\u00a0"]),
    prefix=st.sampled_from(["0", "+82", "+82 ", "+820", "82", "820", "0082", "00820", "00182", "00282", "+82(0)"]),
    around=st.sampled_from(["{}", " {} ", "tel:{}", "sip:{}@pbx.example", '"A" <sip:{}@pbx;x=1>', "<{}>", "\u200e{}"]),
    fullwidth=st.booleans(),
)
def test_all_forms_of_one_number_are_one_number(
    area: str, exchange: int, line: int, separator: str, prefix: str, around: str, fullwidth: bool
) -> None:
    number = f"{prefix}{area}{separator}{exchange}{separator}{line:04}"
    if fullwidth:
        number = number.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    assert NUMBERING.canonical(around.format(number)) == f"+82{area}{exchange}{line:04}"


@given(st.text(max_size=60) | st.text(alphabet="0123456789+-() 82", max_size=24))
@example("825882300")
@example("+82 825882300")
def test_reading_never_fails_and_is_stable(raw: str) -> None:
    canonical = NUMBERING.canonical(raw)
    if canonical is not None:
        assert NUMBERING.canonical(canonical) == canonical
        assert NUMBERING.canonical(NUMBERING.display(canonical)) == canonical
    assert isinstance(NUMBERING.display(raw), str)
