"""Files as offices, banks and instruments write them: delimiter, preamble, header and notes."""

from __future__ import annotations

import pytest

from tests.unit.ingest.table_cases import Case, check, numbered

CASES = [
    Case(
        "names and values, then a blank line",
        '"Data Source","World Development Indicators",\n\n"Last Updated Date","2019-10-02",\n\n'
        '"Country","Code","1960","1961",\n',
        numbered('"Land #","L#","#000","#001",'),
        "", ",", ("Country", "Code", "1960", "1961", ""),
    ),
    Case(
        "a bank's statement",
        '"Konto:";"DE1234 / Giro";\n\n"Stand vom 01.02.2019:";"1.234,56 EUR";\n\n'
        '"Buchungstag";"Wertstellung";"Text";"Betrag (EUR)";\n',
        numbered('"0#.02.2019";"0#.02.2019";"Miete, Februar";"-#,00";'),
        "", ";", ("Buchungstag", "Wertstellung", "Text", "Betrag (EUR)", ""),
    ),
    Case(
        "sentences of as many cells as the table",
        "Published under a licence, see http://example.org/a,b.\nContact: a@b.org, phone 1, fax 4\n"
        "\ncode,name,value\n",
        numbered("c#,n#,#"), "", ",", ("code", "name", "value"),
    ),
    Case(
        "pairs of as many cells as the table",
        "Report,Sales by item,\nPrinted,2019-01-01,10:00\n\nSKU,Name,On hand\n",
        numbered("A#,Nut,#"), "", ",", ("SKU", "Name", "On hand"),
    ),
    Case(
        "pairs right above the header",
        "Station,Berlin\nLatitude,52.5\nDate,Temp,Rain,Wind\n",
        numbered("2019-01-0#,#.1,#,#"), "", ",", ("Date", "Temp", "Rain", "Wind"),
    ),
    Case(
        "a statistical office",
        "Bevölkerung: Deutschland, Stichtag\nDeutschland\nBevölkerung (Anzahl)\n"
        ";;2015;2015;2016\n;;männlich;weiblich;männlich\n",
        numbered("31.12.;unter # Jahre;#00;#01;#02"),
        "__________\nFußnote: geschätzt.\n(C)opyright Statistisches Amt, 2018\nStand: 31.07.2018\n",
        ";", ("", "", "2015 männlich", "2015 weiblich", "2016 männlich"),
    ),
    Case(
        "decimal commas and a source with a delimiter",
        "Jahr;Einwohner;Anteil\n", numbered("200#;12.345,#;3,#"),
        "\nQuelle: Statistisches Amt; eigene Berechnung\n", ";", ("Jahr", "Einwohner", "Anteil"),
    ),
    Case(
        "notes that are cut by their commas",
        "Area,2016,2017\n", numbered("North,#,#"),
        "\nNotes:\n1. Figures are provisional, and may change.\n2. Source: Office.\n",
        ",", ("Area", "2016", "2017"),
    ),
    Case(
        "a note right below the rows",
        "Dept,Budget,Spent\n", numbered('A,"#,000",#00'),
        "Note: budgets are approved, see minutes.\n", ",", ("Dept", "Budget", "Spent"),
    ),
    Case("sep=", "sep=;\nName;Wert\n", numbered("a#;#,5"), "", ";", ("Name", "Wert")),
    Case(
        "rows with a key and nothing else are rows, also the last ones",
        "text,date,number,flag\n", numbered("a#,2019-01-0#,#,x") + "Row with blanks,,,\nLast,,,\n",
        "", ",", ("text", "date", "number", "flag"),
    ),
    Case(
        "a short row behind a blank line is a row",
        "sku,qty,price\n", numbered("A#,#,1.5") + "\nB2\n", "", ",", ("sku", "qty", "price"),
    ),
    Case("columns that are nearly empty", "Name,,,,\n", "A,,,,\nB,,1,,\nC,,,,\nD,,,2,\n", "", ",",
         ("Name", "", "", "", "")),
    Case("a header narrower than its rows", "a,b\n", numbered("x#,#,#"), "", ",", ("a", "b")),
    Case("every line followed by a blank one", "a,b,c\n\n", numbered("x#,#,#\n"), "", ",",
         ("a", "b", "c")),
    Case(
        "sections within the table", "Item,2016,2017\n",
        "Food,,\nBread,1,2\nMilk,3,4\nDrinks,,\nBeer,5,6\nWine,7,8\n", "", ",",
        ("Item", "2016", "2017"),
    ),
    Case("tabs, padded", "Name \tQty \tPrice\n", numbered("Item #   \t #\t #.50 "), "", "\t",
         ("Name ", "Qty ", "Price")),
    Case(
        "comments, the last of them the header", "# by X\n# 2019-01-01\n#chrom\tstart\tend\n",
        numbered("chr#\t#00\t#50"), "", "\t", ("#chrom", "start", "end"),
    ),
    Case("no header", "", numbered("5.#,3.5,1.4,Iris-setosa"), "", ",", ()),
    Case("semicolons in cells", "id,tags,n\n", numbered("#,a;b;c;d,#"), "", ",",
         ("id", "tags", "n")),
    Case("commas in cells", "id;text;who\n", numbered("#;well, this, is, text;Smith, J."), "", ";",
         ("id", "text", "who")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.what)
def test_the_table_is_found(case: Case) -> None:
    check(case)
