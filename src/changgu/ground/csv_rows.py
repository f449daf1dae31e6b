"""Reads a list that somebody filled in with a spreadsheet, and says for every mistake where it is.

The whole file is read before anything is done with it, so that the person mends all mistakes at once and
nothing is half-imported. Spreadsheets in Korea save UTF-8 (with or without BOM), CP949 and, as "Unicode
text", UTF-16 with tabs; all are understood.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from changgu.ground.trouble import BadInput

MAX_FILE_BYTES = 64 * 1024 * 1024
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class RowError:
    """One mistake in a file. `line` counts from 1 as an editor shows it; `column` is the heading, or ''."""

    file: str
    line: int
    column: str
    ko: str
    en: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")
        return f"{where}: {self.ko} ({self.en})"


class RowErrors(BadInput):
    """The file has mistakes; nothing of it was imported."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        self.errors: tuple[RowError, ...] = tuple(sorted(errors, key=lambda error: (error.file, error.line)))
        super().__init__(
            f"파일에 고칠 곳이 {len(errors)}군데 있어 아무것도 가져오지 않았습니다. "
            + _first(self.errors, korean=True),
            f"{len(errors)} mistake(s) in the file; nothing was imported. " + _first(self.errors, korean=False),
        )

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its place in the file and its cells by heading, stripped. `row["fax"]` is '' when there is none."""

    file: str
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def has(self, column: str) -> bool:
        """Whether the file has this column at all, empty or not."""
        return column in self.cells

    def error(self, column: str, ko: str, en: str) -> RowError:
        """A mistake in this row."""
        return RowError(self.file, self.line, column, ko, en)

    def listed(self, column: str, separator: str = ";") -> list[str]:
        """The parts of a cell that holds a list, without empty ones."""
        return [part for part in (piece.strip() for piece in self[column].split(separator)) if part]


def read_rows(
    file_name: str,
    content: bytes,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    also_called: Mapping[str, str] | None = None,
    mistakes: list[RowError] | None = None,
) -> list[Row]:
    """Every row of the file, or `RowErrors` with every mistake.

    With `mistakes` they are put there instead, and the rows that can be read are returned: whoever looks further into
    them tells everything at once. A file whose headings or text cannot be understood is refused in any case.

    `required` columns must be there and filled in every row; `optional` ones may be missing or empty.
    `also_called` gives other headings for a column, such as {"사번": "employee_number"}.
    Headings are compared without regard to case and surrounding blanks. Empty rows are passed over.
    """
    text = _decoded(file_name, content)
    known = {name.casefold(): name for name in [*required, *optional]}
    known |= {heading.casefold(): name for heading, name in (also_called or {}).items() if name in known.values()}
    records = _records(file_name, text)
    try:
        line, header = next(records)
    except StopIteration:
        raise _refusal(file_name, 1, "빈 파일입니다.", "the file is empty") from None

    columns, errors = _columns(file_name, line, header, known, required)
    understood = not errors
    rows: list[Row] = []
    try:
        for line, record in records:
            if not any(cell.strip() for cell in record):
                continue
            row = Row(file_name, line, _cells(columns, record))
            if len(record) > len(header) and any(cell.strip() for cell in record[len(header) :]):
                errors.append(
                    row.error(
                        "",
                        f"칸이 {len(record)}개인데 머리글은 {len(header)}개입니다. "
                        "쉼표가 든 값은 큰따옴표로 묶어 주십시오.",
                        f"{len(record)} cells under {len(header)} headings; quote values that contain commas",
                    )
                )
                continue
            rows.append(row)
            errors += [
                row.error(name, "값이 비어 있습니다.", "this must not be empty")
                for name in required
                if name in columns.values() and not row[name]
            ]
    except RowErrors as broken:
        errors += broken.errors
        understood = False
    if errors and (mistakes is None or not understood):
        raise RowErrors(errors)
    if mistakes is not None:
        mistakes += errors
    return rows


def _columns(
    file: str, line: int, header: Sequence[str], known: Mapping[str, str], required: Sequence[str]
) -> tuple[dict[int, str], list[RowError]]:
    columns: dict[int, str] = {}
    errors: list[RowError] = []
    for place, cell in enumerate(header):
        heading = cell.strip()
        if not heading:
            continue
        name = known.get(heading.casefold())
        if name is None:
            shown = heading[:40]
            expected = ", ".join(dict.fromkeys(known.values()))
            ko, en = f"모르는 열입니다. 쓸 수 있는 열: {expected}", f"unknown column; known are {expected}"
            errors.append(RowError(file, line, shown, ko, en))
        elif name in columns.values():
            errors.append(RowError(file, line, name, "같은 열이 두 번 있습니다.", "this column appears twice"))
        else:
            columns[place] = name
    errors += [
        RowError(file, line, name, "꼭 있어야 하는 열이 없습니다.", "this column is missing")
        for name in required
        if name not in columns.values()
    ]
    return columns, errors


def _cells(columns: Mapping[int, str], record: Sequence[str]) -> dict[str, str]:
    return {name: _unguarded(record[place].strip()) if place < len(record) else "" for place, name in columns.items()}


def write_rows(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A list that a spreadsheet opens as text: UTF-8 with BOM, and no cell that the spreadsheet would calculate.

    A cell that begins like a formula gets an apostrophe in front; `read_rows` takes it off again.
    """
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(headings)
    for row in rows:
        writer.writerow([_guarded("" if cell is None else str(cell)) for cell in row])
    return sheet.getvalue().encode("utf-8-sig", errors="replace")


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.lstrip().startswith(FORMULA_STARTS) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip().startswith(FORMULA_STARTS) else cell


def _records(file: str, text: str) -> Iterator[tuple[int, list[str]]]:
    heading_line = text.partition("\n")[0]
    separator = "\t" if "\t" in heading_line and "," not in heading_line else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as trouble:
            ko = "행을 읽을 수 없습니다. 큰따옴표의 짝을 확인해 주십시오."
            raise _refusal(file, line, ko, f"cannot be read: {trouble}") from None
        yield line, record


def _decoded(file: str, content: bytes) -> str:
    if len(content) > MAX_FILE_BYTES:
        raise _refusal(file, 1, "파일이 너무 큽니다 (64 MB까지).", "the file is larger than 64 MB")
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encodings = ["utf-16"] if is_utf16 else ["utf-8-sig", "cp949"]
    furthest = 0
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as trouble:
            furthest = max(furthest, trouble.start)
            continue
        if "\0" in text:
            line = text[: text.index("\0")].count("\n") + 1
            raise _refusal(file, line, "글자가 아닌 것(NUL)이 들어 있습니다.", "contains a NUL")
        return text
    line = content[:furthest].count(b"\n") + 1
    ko = "글자를 읽을 수 없습니다. UTF-8이나 CP949로 저장해 주십시오."
    raise _refusal(file, line, ko, "neither UTF-8 nor CP949 text")


def _refusal(file: str, line: int, ko: str, en: str) -> RowErrors:
    return RowErrors([RowError(file, line, "", ko, en)])


def _first(errors: Sequence[RowError], *, korean: bool) -> str:
    shown = [
        f"{error.line}행 {error.column}: {error.ko}" if korean else f"line {error.line} {error.column}: {error.en}"
        for error in errors[:3]
    ]
    return " / ".join(shown) + (" …" if len(errors) > len(shown) else "")
