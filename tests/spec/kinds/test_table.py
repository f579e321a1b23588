"""Kind `table`."""

from __future__ import annotations


def test_the_key_is_made_of_columns(found, write) -> None:
    """A key that is no column names no row."""
    (finding,) = found(write("table", "rate", key=["day"], columns={"rate": "double"}))
    assert (finding.code, finding.path) == ("key_without_column", ("key", 0))


def test_the_product_table_has_its_columns(found) -> None:
    """Suitability and offers read fixed columns; a missing one is an error with its type."""
    findings = found(instead={"  risk_seller: int\n": ""})
    assert [one.code for one in findings] == ["product_column"]
    assert findings[0].hint.startswith("Add `risk_seller: int`")


def test_the_columns_of_the_product_table_have_their_types(found) -> None:
    """A risk level that is text cannot be compared."""
    (finding,) = found(instead={"  risk_seller: int\n": "  risk_seller: text\n"})
    assert finding.path == ("columns", "risk_seller")


def test_the_product_table_goes_by_product(codes) -> None:
    """Offers name a product and nothing else."""
    assert codes(instead={"key: [product]": "key: [product, issuer]"}) == ["product_key"]


def test_a_column_has_a_known_type(found, write) -> None:
    """`number` is none of ours."""
    (finding,) = found(write("table", "rate", key=["day"], columns={"day": "number"}))
    assert finding.message == (
        "'columns.day' expects one of bool, int, double, text, timestamp, date, "
        "got the text 'number'."
    )
