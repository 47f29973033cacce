"""A header's name in the database does not depend on where it stands in the file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supplyline.tenancy.names import MAX_IDENTIFIER, column_names


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        (["Order ID", "Größe", "", "Crème brûlée"], ("order_id", "groesse", "column_3",
                                                    "creme_brulee")),
        (["orderId", "2024", "ctid", "_file"], ("order_id", "c_2024", "c_ctid", "file")),
        (["Цена", "Йогурт", "価格", "数量", "μέγεθος"], ("цена", "йогурт", "価格", "数量",
                                                       "μέγεθος")),
        (["कीमत", "ราคา", "السعر"], ("कीमत", "ราคา", "السعر")),
        (["Price €", "Price $", "Price"], ("price_eur", "price_usd", "price")),
        (["Price €"], ("price",)),
        (["%", "#"], ("percent", "number")),
        (["qty", "qty", "qty"], ("qty", "qty_2", "qty_3")),
        (["qty", "qty_2", "qty"], ("qty", "qty_2", "qty_3")),
        (["", "", "column_1"], ("column_1_2", "column_2", "column_1")),
    ],
)  # fmt: skip
def test_names(headers: list[str], names: tuple[str, ...]) -> None:
    assert column_names(headers) == names


def test_headers_that_no_name_can_tell_apart_are_told_apart_by_a_hash() -> None:
    one = dict(zip(("id", "ID", "Id"), column_names(["id", "ID", "Id"]), strict=True))
    other = dict(zip(("Id", "id", "ID"), column_names(["Id", "id", "ID"]), strict=True))

    assert one == other
    assert one["id"] == "id"
    assert len(set(one.values())) == 3


_HEADERS = st.lists(
    st.text(max_size=80) | st.sampled_from(["a", "A", "a b", "a_b", "Price €", "価" * 40, "ß", ""])
)


@given(_HEADERS)
def test_any_headers_have_names_that_postgresql_takes(headers: list[str]) -> None:
    names = column_names(headers)

    assert len(set(names)) == len(headers)
    for name in names:
        assert 0 < len(name.encode()) <= MAX_IDENTIFIER
        assert not name.startswith("_")
        assert not name[0].isdigit()
        assert column_names([name]) == (name,)


@given(_HEADERS.map(lambda hs: list({h.strip(): h for h in hs if h.strip()}.values())), st.data())
def test_the_order_of_headers_changes_no_name(headers: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(headers))

    known = dict(zip(headers, column_names(headers), strict=True))

    assert dict(zip(shuffled, column_names(shuffled), strict=True)) == known


def test_many_equal_headers_are_numbered() -> None:
    names = column_names(["qty"] * 20_000)

    assert (names[0], names[1], names[-1]) == ("qty", "qty_2", "qty_20000")
    assert len(set(names)) == 20_000
