"""Lists from spreadsheets: every mistake is found at once and named by file, line and column."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.ground.csv_rows import Row, RowErrors, read_rows, write_rows

PEOPLE = "사번,name\n100,김하나\n101,이두리\n"


def read(content: bytes) -> list[Row]:
    headings = {"사번": "employee_number"}
    return read_rows("people.csv", content, ["employee_number", "name"], ["phones"], also_called=headings)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_a_file_in_any_encoding_a_korean_spreadsheet_writes_is_read(encoding: str) -> None:
    assert [(row.line, row["employee_number"], row["name"]) for row in read(PEOPLE.encode(encoding))] == [
        (2, "100", "김하나"),
        (3, "101", "이두리"),
    ]


def test_carriage_returns_tabs_blank_lines_and_quoted_line_breaks_do_not_disturb_the_line_numbers() -> None:
    rows = read(b'name,employee_number,phones\r\n"a\r\nb",1,\r\n\r\n,,\r\nc,2,"010; 02 ;"\r\n')
    assert [(row.line, row["name"]) for row in rows] == [(2, "a\r\nb"), (6, "c")]
    assert rows[1].listed("phones") == ["010", "02"]
    assert [row["name"] for row in read(b"name\temployee_number\nx\t1\n")] == ["x"]


def test_every_mistake_is_reported_at_once_with_its_line_and_column() -> None:
    with pytest.raises(RowErrors) as refused:
        read(b"name,phones,colour,name\n,1,2,3\n")
    assert [(error.file, error.line, error.column) for error in refused.value.errors] == [
        ("people.csv", 1, "colour"),
        ("people.csv", 1, "name"),
        ("people.csv", 1, "employee_number"),
        ("people.csv", 2, "name"),
    ]
    assert refused.value.status == 422
    assert "4군데" in refused.value.ko
    assert "people.csv:2:name" in str(refused.value)


def test_a_row_with_more_cells_than_headings_is_refused_instead_of_shifting_values() -> None:
    with pytest.raises(RowErrors) as refused:
        read(b"name,employee_number\na,1\nKim, Hana,2\n")
    assert [error.line for error in refused.value.errors] == [3]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b'name,employee_number\nx,1\n"y,2\n', 3),
        (b"name,employee_number\nx,\x00\n", 2),
        (b"name,employee_number\nx,1\n\xff\xff\xff\n", 3),
    ],
)
def test_a_file_that_is_no_list_is_refused_with_the_line_of_the_damage(content: bytes, line: int) -> None:
    with pytest.raises(RowErrors) as refused:
        read(content)
    assert refused.value.errors[0].line == line


@given(st.binary(max_size=400))
def test_no_bytes_whatever_raise_anything_but_row_errors(content: bytes) -> None:
    with suppress(RowErrors):
        assert all(row["name"] and row["employee_number"] for row in read(content))


def test_an_absent_column_is_told_apart_from_an_empty_cell() -> None:
    (row,) = read(b"name,employee_number\nx,1\n")
    assert (row["phones"], row.has("phones")) == ("", False)
    (row,) = read(b"name,employee_number,phones\nx,1,\n")
    assert (row["phones"], row.has("phones")) == ("", True)


@pytest.mark.parametrize("dangerous", ["=1+1", "+8210", "-1", "@SUM(A1)", "\t=1", " =1", "＝1"])
def test_a_written_cell_is_never_calculated_by_a_spreadsheet_and_comes_back_as_it_was(dangerous: str) -> None:
    written = write_rows(["name", "employee_number"], [[dangerous, 1]])
    assert written.startswith(b"\xef\xbb\xbfname,employee_number\r\n'")
    (row,) = read(written)
    assert row["name"] == dangerous.strip() or row["name"] == dangerous
