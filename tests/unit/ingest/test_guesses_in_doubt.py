"""Where two readings are near each other: one column or several, row or note, header or title."""

from __future__ import annotations

import pytest

from tests.unit.ingest.table_cases import Case, cells_of, check, numbered

ONE_COLUMN = [
    Case("addresses", "Address\n", numbered("# High Street"), "", ",", ("Address",)),
    Case("telephone numbers", "phone\n", numbered("+49 30 12345#"), "", ",", ("phone",)),
    Case("decimal commas", "Preis\n", numbered("#,50"), "", ";", ("Preis",)),
    Case("addresses with commas in the query", "url\n", numbered("https://a.org/#?x=1,3"), "", ";",
         ("url",)),
    Case("sentences", "remark\n", numbered("Well, it took # days") + "Good\nLate, broken, sad\n",
         "", ";", ("remark",)),
]  # fmt: skip
CUT = [
    Case("two columns of numbers below a title", "Births by year\nYear,Births\n",
         numbered("199#,#895"), "", ",", ("Year", "Births")),
    Case("numbers below a title", "Readings\n", numbered("#,#1,#2"), "", ",", ()),
    Case("values between spaces", "x y z\n", numbered("#.5 1# #00"), "", " ", ("x", "y", "z")),
    Case("tabs, and commas within the first cell", "unit,sex,geo\\time\t2019 \t2018 \n",
         numbered("NR,T,A#\t: \t92# "), "", "\t", ("unit,sex,geo\\time", "2019 ", "2018 ")),
    Case("many sentences with one comma each before the table",
         numbered("Line # of the terms: the data are provided as is, without warranty.", 40)
         + "id,name,qty\n", numbered("#,nut,#"), "", ",", ("id", "name", "qty")),
    Case("rows of one cell among others", "a,b\n", numbered("#,#") + "# a comment\n" + "7,8\n",
         "", ",", ("a", "b")),
]  # fmt: skip
ROWS = [
    Case("a name that begins like a note", "Code,Name,Remark\n",
         numbered("Shop #,x,1") + "Note Books Ltd,,\n", "", ",", ("Code", "Name", "Remark")),
    Case("one cell that begins like a date of issue", "Code,Name,Remark\n",
         numbered("Shop #,x,1") + "Stand Alone Coffee\n", "", ",", ("Code", "Name", "Remark")),
    Case("numbered like the others", "Code,Name,Remark\n",
         numbered("A) item #,x,1") + "B) other item,,\n", "", ",", ("Code", "Name", "Remark")),
    Case("as long as the others", "Code,Name,Remark\n",
         numbered("Product number # in a long descriptive title text here,5,1")
         + "Product number 99 in a long descriptive title text here,,\n", "", ",",
         ("Code", "Name", "Remark")),
]  # fmt: skip
NOTES = [
    Case("a source below two columns", "Year,Births\n", numbered("199#,#895"),
         "Source: Registry,\n", ",", ("Year", "Births")),
    Case("a count of rows", "id,nm,v\n", numbered("#,x,#"), "12 rows selected.\n", ",",
         ("id", "nm", "v")),
    Case("a count of rows in parentheses", "id  ,nm ,v\n--- ,---,---\n", numbered("#,x,#"),
         "\n(9 rows affected)\n", ",", ("id  ", "nm ", "v")),
]  # fmt: skip
HEADERS = [
    Case("names of groups above", ",Men,,Women,\nAge,N,%,N,%\n", numbered("#0-#9,17,6.2,17,6.2"),
         "", ",", ("Age", "Men N", "Men %", "Women N", "Women %")),
    Case("years above quarters", "2019,,2020,\nQ1,Q2,Q1,Q2\n", numbered("9#,16,7#,78"), "", ",",
         ("2019 Q1", "2019 Q2", "2020 Q1", "2020 Q2")),
    Case("an index without a name is no group", ",a,b\n", numbered("#,1#,2#"), "", ",",
         ("", "a", "b")),
    Case("a comment that names the columns", "# by X\n# columns: time,temp,hum\ntime,temp,hum\n",
         numbered("2020-01-0#,3.1#,5#"), "", ",", ("time", "temp", "hum")),
    Case("a drawn line", "| id | name | qty |\n|----|------|-----|\n", numbered("| # | n | # |"),
         "", "|", ("", " id ", " name ", " qty ", "")),
    Case("a drawn line without the delimiter", "01.02.2021 List\n------\n|A |B   |C |\n-------\n",
         numbered("|# |Nut |#0|"), "-------\n", "|", ("", "A ", "B   ", "C ", "")),
    Case("names with values, and values without a header",
         '"Title","CPIH"\n"CDID","L522"\n"PreUnit",""\n"Release date","19-04-2023"\n"Notes",\n',
         numbered('"199#","7#.0"') + numbered('"2022 Q#","10#.4"', 4), "", ",", ()),
]  # fmt: skip


@pytest.mark.parametrize("case", ONE_COLUMN + CUT + ROWS + NOTES + HEADERS, ids=lambda c: c.what)
def test_the_likelier_reading_is_taken(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("lines", [300, 1500])
def test_a_cell_of_many_lines_does_not_change_the_delimiter(lines: int) -> None:
    cell = "\n".join(["well; then, so"] * lines)
    case = Case("", "id,note\n", f'1,"{cell}"\n2,short\n3,short\n', "", ",", ("id", "note"))
    found = cells_of(case)
    assert found == [["1", cell], ["2", "short"], ["3", "short"]]
