"""What people type, made safe to keep: one Unicode form, nothing invisible that changes the meaning."""

import unicodedata

from changgu.ground.trouble import BadInput

_KEPT_CONTROLS = {"\n", "\t"}
_UNWANTED = {"Cc", "Cs", "Cn", "Co"}
_DIRECTION_MARKS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0xFEFF])


def clean_text(text: str) -> str:
    """Several lines, without control characters, direction overrides and half characters; NFC, stripped."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").translate(_DIRECTION_MARKS)
    kept = "".join(sign for sign in lines if sign in _KEPT_CONTROLS or unicodedata.category(sign) not in _UNWANTED)
    return unicodedata.normalize("NFC", kept).strip()


def clean_line(text: str) -> str:
    """The same on one line, with single blanks."""
    return " ".join(clean_text(text).split())


def within(text: str, limit: int, field: str) -> str:
    """`text` when it is no longer than `limit` characters, else a refusal that names the field."""
    if len(text) > limit:
        raise BadInput(
            f"너무 깁니다: {limit}자까지 쓸 수 있습니다.", f"too long: at most {limit} characters", field=field
        )
    return text
