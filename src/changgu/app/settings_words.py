"""Why a setting cannot be used, in Korean; pydantic says it in English alone."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import ErrorDetails


class UnusableValue(ValueError):
    """A check of ours refused a value; says why in both languages."""

    def __init__(self, ko: str, en: str) -> None:
        super().__init__(en)
        self.ko = ko


_WHOLE, _NUMBER, _YES_OR_NO = "정수로 쓰십시오", "숫자로 쓰십시오", "true나 false로 쓰십시오"
_TEXT, _LIST, _TABLE = "큰따옴표로 묶은 글자로 쓰십시오", '["가", "나"]처럼 목록으로 쓰십시오', "[이름] 표로 쓰십시오"

_REASONS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), lambda _: _WHOLE),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), lambda _: _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), lambda _: _YES_OR_NO),
    **dict.fromkeys(("string_type", "path_type"), lambda _: _TEXT),
    **dict.fromkeys(("tuple_type", "list_type"), lambda _: _LIST),
    **dict.fromkeys(("dict_type", "model_type", "mapping_type"), lambda _: _TABLE),
    "greater_than_equal": lambda given: f"{given['ge']} 이상으로 쓰십시오",
    "less_than_equal": lambda given: f"{given['le']} 이하로 쓰십시오",
    "string_pattern_mismatch": lambda given: f"형식이 맞지 않습니다. 정규식 {given['pattern']}에 맞추어 쓰십시오",
    "string_too_long": lambda given: f"{given['max_length']}자 이하로 쓰십시오",
    "literal_error": lambda given: f"다음 가운데 하나로 쓰십시오: {given['expected'].replace(' or ', ', ')}",
}


def why_ko(mistake: ErrorDetails) -> str:
    """The reason behind one mistake."""
    given = mistake.get("ctx", {})
    if isinstance(error := given.get("error"), UnusableValue):
        return error.ko
    reason = _REASONS.get(mistake["type"])
    return reason(given) if reason else f"쓸 수 없는 값입니다({mistake['msg']})"


def unreadable_ko(trouble: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read."""
    match trouble:
        case UnicodeDecodeError():
            return "UTF-8로 저장한 파일이 아닙니다"
        case FileNotFoundError():
            return "파일이 없습니다"
        case PermissionError():
            return "읽을 권한이 없습니다"
        case IsADirectoryError():
            return "파일이 아니라 폴더입니다"
        case _:
            return f"읽을 수 없습니다({trouble.strerror})"


def toml_ko(trouble: ValueError) -> str:
    """Where a file stops being TOML."""
    place = re.search(r"at line (\d+), column (\d+)", str(trouble))
    where = f"{place[1]}행 {place[2]}번째 글자" if place else "파일 끝"
    return f"{where}에서 TOML 문법에 맞지 않습니다"
