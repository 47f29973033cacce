# ruff: noqa: RUF001 - letters of other scripts look like those of ours
"""Tables in the code pages of many languages, small as lists of places and products are."""

from __future__ import annotations

import io
import re

import pytest

from supplyline.ingest import open_file
from supplyline.ingest.records import Record
from supplyline.ingest.sniff import encoding

TABLES = {
    "Polish": ("Lp.;Województwo;Źródło", "Łódzkie łęczycki;GUS", "Śląskie częstochowski;GUS"),
    "Czech": ("Kód;Název;Množství", "Šroub;7", "Žárovka;3", "Říční písek;4", "Štětec;1"),
    "Turkish": ("Ürün;Şehir;Miktar", "Çay;İstanbul", "Şeker;Iğdır", "Süt;Muğla", "Yağ;Kırşehir"),
    "Greek": ("Κωδικός;Όνομα;Τιμή", "Ψωμί;0,5", "Γάλα;1,5", "Τυρί;2,5", "Έλαιο;3,5"),
    "Russian": ("Код;Наименование;Цена", "Болт М6, оцинкованный;5", "Гайка;7", "Шайба;9"),
    "Ukrainian": ("Код;Найменування;Ціна", "Гвинт її ґатунку;5", "Шайба;7", "Цвях;9"),
    "German": ("Artikel;Größe;Länge", "Schraube für Hölzer;5", "Dübel;3", "Straßenbesen;1"),
    "French": ("Libellé;Quantité;Coût", "Tournevis à tête étoilée;5", "Clé;3", "Façade;1"),
    "Japanese": ("都道府県,市区町村,人口", "北海道,札幌市,62215", "北海道,小樽市,3331"),
    "Chinese": ("编号,名称,数量,单价", "1,螺丝,79,2.40", "2,螺母,40,1.51", "3,垫圈,81,1.39"),
    "Taiwanese": ("縣市,人口數,面積", "臺北市,3410,4824", "新北市,984,171", "桃園市,5798,8141"),
    "Korean": ("시도명,인구수,면적", "서울특별시,2816,1900", "부산광역시,1425,8132"),
    "Hebrew": ("מוצר;כמות;מחיר", "חלב;5;7", "לחם לבן;3;9", "גבינה צהובה;2;4"),
    "Thai": ("สินค้า;จำนวน", "นมสด;5", "ขนมปัง;3", "ข้าวสาร;9"),
}
WRITTEN = [
    ("Polish", "cp1250"), ("Polish", "iso8859_2"), ("Czech", "cp1250"), ("Czech", "iso8859_2"),
    ("Turkish", "cp1254"), ("Turkish", "iso8859_9"), ("Greek", "cp1253"), ("Greek", "iso8859_7"),
    ("Russian", "cp1251"), ("Russian", "koi8_r"), ("Russian", "cp866"), ("Ukrainian", "cp1251"),
    ("German", "cp1252"), ("German", "mac_roman"), ("German", "cp850"), ("French", "cp1252"),
    ("French", "mac_roman"), ("Japanese", "shift_jis"), ("Japanese", "euc_jp"),
    ("Chinese", "gbk"), ("Taiwanese", "big5"), ("Korean", "euc_kr"), ("Hebrew", "cp1255"),
    ("Thai", "cp874"), ("Russian", "utf-16-le"), ("Russian", "utf-16-be"),
    ("Japanese", "utf-16-le"), ("German", "utf-16-be"), ("Korean", "utf-32-le"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "written"), WRITTEN)
def test_a_table_is_read_as_it_was_written(language: str, written: str) -> None:
    text = "\r\n".join((*TABLES[language], ""))
    reading = open_file(io.BytesIO(text.encode(written)), name="t.csv")
    delimiter = "," if "," in TABLES[language][0] else ";"
    rows = [list(reading.names), *(e.cells for _, e in reading.events() if isinstance(e, Record))]
    assert rows == [line.split(delimiter) for line in TABLES[language]]


@pytest.mark.parametrize("word", ["Café", "21 °C", "Preis in €", "5 µm", "Müller", "a – b", "£"])
def test_a_single_sign_is_western(word: str) -> None:
    found = encoding.detect(f"id;x\n1;{word}\n".encode("cp1252"), whole=True)
    assert found.name == "cp1252"


def test_a_letter_beside_a_small_one_is_no_ideograph() -> None:
    rows = "".join(f'"Śruba {n}","{n}","9,50"\n' for n in range(12))
    found = encoding.detect(f'"Nazwa","Ilość","Cena"\n{rows}'.encode("iso8859_2"), whole=True)
    assert found.name == "iso8859_2"


def test_two_code_pages_that_are_near_each_other_are_both_named() -> None:
    found = encoding.detect("id;x\n1;Müller\n".encode("mac_roman"), whole=True)
    assert found.confidence < 0.6
    assert {"cp1252", "mac_roman"} <= {*re.findall(r"\w+", found.reason)}


def test_zeros_alone_make_no_wide_text() -> None:
    assert encoding.wide(b"\0\x01\x02\x03" * 100) is None
    assert encoding.wide(b"a,b\n1,\0\n" * 20) is None
