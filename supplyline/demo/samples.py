"""Sample files of a small wholesaler: seasonal and intermittent sales, products, stock.

Made anew from a seed, up to yesterday, with the dirt of real life: leading zeros in article
numbers, another delimiter and encoding in every file, a title above a header, quoted line breaks,
returns, short and long rows, and rows that cannot be read.
"""

from __future__ import annotations

import csv
import io
import math
import random
from datetime import date, timedelta
from pathlib import Path

DAYS = 420
_GOODS = ("Kettle", "Desk lamp", "Cutlery set", "Storage box", "Tea towel", "Garden hose",
          "Wall clock", "Doormat", "Picture frame", "Candle", "Café cup", "Brush", "Salad bowl",
          "Laundry basket", "Blanket")  # fmt: skip
_FINISH = ("small", "large", "blue", "grün")


def items() -> list[tuple[str, str]]:
    """60 article numbers with leading zeros, and their names."""
    names = [f"{good}, {finish}" for good in _GOODS for finish in _FINISH]
    return [(f"{number:05d}", name) for number, name in enumerate(names, start=417)]


def write(folder: Path, *, today: date, seed: int = 7) -> list[Path]:
    """Writes products.csv, sales.csv and stock.csv; answers their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(seed)  # noqa: S311 - sample data, no secret
    contents = {
        "products.csv": _products(dice),
        "sales.csv": _sales(dice, today),
        "stock.csv": _stock(dice, today),
    }
    paths = []
    for name, content in contents.items():
        path = folder / name
        path.write_bytes(content)
        paths.append(path)
    return paths


def _products(dice: random.Random) -> bytes:
    """As a German ERP exports it: semicolons, Windows-1252."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(
        ["SKU", "Product Name", "Category", "Unit Cost", "Unit Price", "Lead Time Days", "MOQ",
         "Pack Size"]
    )  # fmt: skip
    for number, (sku, name) in enumerate(items()):
        cost = round(dice.uniform(1.5, 40), 2)
        writer.writerow(
            [sku, name, "Home" if number % 3 else "Garden", f"{cost:.2f}", f"{cost * 1.9:.2f}",
             dice.choice([5, 7, 14, 21]), dice.choice([1, 6, 12]), dice.choice([1, 6])]
        )  # fmt: skip
    return out.getvalue().encode("cp1252")


def _sales(dice: random.Random, today: date) -> bytes:
    """UTF-8 with a byte order mark; a tenth of the items sells now and then only."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["Order ID", "Line", "Order Date", "SKU", "Quantity", "Unit Price", "Note"])
    order = 100_000
    for day in range(DAYS, 0, -1):
        when = today - timedelta(days=day)
        season = 1 + 0.4 * math.sin(2 * math.pi * (when.timetuple().tm_yday - 80) / 365)
        weekday = (1.2, 1.0, 1.0, 1.1, 1.4, 0.7, 0.3)[when.weekday()]
        for number, (sku, _) in enumerate(items()):
            rare = number % 10 == 9
            rate = 0.04 if rare else (0.35 + (number % 7) * 0.1) * season * weekday
            if dice.random() > min(rate, 0.95):
                continue
            order += 1
            quantity = dice.choice([1, 1, 2, 3, 5, 8]) * (3 if rare else 1)
            row: list[object] = [order, 1, when.isoformat(), sku, quantity, f"{5 + number}.90", ""]
            if dice.random() < 0.01:
                row[4] = -quantity  # a return
                row[6] = "returned,\nbox damaged"
            if dice.random() < 0.002:
                row = row[:6]  # a short row
            writer.writerow(row)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _stock(dice: random.Random, today: date) -> bytes:
    """A report with a title, tabs, a longer row, and two rows that no one can read."""
    lines = [f"Stock report\tas of {today.isoformat()}", "", "SKU\tWarehouse\tOn Hand\tOn Order"]
    for number, (sku, _) in enumerate(items()):
        extra = "\tchecked by hand" if number == 20 else ""
        lines.append(
            f"{sku}\tHAM-1\t{dice.choice([0, 3, 8, 20, 60, 150])}\t{dice.choice([0, 0, 24])}{extra}"
        )
    lines.insert(20, "00\x00431\tHAM-1\t12\t0")
    lines.insert(40, "\x00\x00\x00")
    return ("\n".join(lines) + "\n").encode()
