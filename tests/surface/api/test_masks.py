"""Golden masks: what of an id, an account, a name and an attribute is shown (PFI-08)."""

from __future__ import annotations

import pytest

from dipper.spec.kinds.property import Property
from dipper.surface.api.masks import mask_account, mask_id, mask_name, mask_trait

_TEXT = {"zh": "x", "en": "x"}
_OWNERS = {"business": "a", "technical": "b", "managing": "c"}


def declared(pi_class: str, **more: object) -> Property:
    """A text property of a class."""
    return Property.model_validate(
        {"name": "p", "title": _TEXT, "owners": _OWNERS, "type": "text", "pi_class": pi_class}
        | more
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("phone:13812341234", "phone:138****1234"),
        ("mobile:13812341234", "mobile:138****1234"),
        ("login:13812341234", "login:138****1234"),
        ("phone:12", "phone:****12"),
        ("id_card:120101199001011234", "id_card:120101****1234"),
        ("customer_no:12010119900101123X", "customer_no:120101****123X"),
        ("account:6222021234567890", "account:****7890"),
        ("account:123456", "account:****56"),
        ("email:zhang.san@example.com", "email:z****@example.com"),
        ("customer_no:C0001234", "customer_no:C0****34"),
        ("login:u1", "login:u****"),
        ("login:", "login:****"),
        ("device:d000123", "device:d0****23"),
    ],
)
def test_an_id_shows_enough_to_recognise_it(text: str, shown: str) -> None:
    """Phones 138****1234, documents first six and last four, others two at each end."""
    assert mask_id(text) == shown


def test_an_account_shows_its_last_four() -> None:
    """A card or account is recognised by its end."""
    assert mask_account("wealth.stable-C0001234") == "****1234"
    assert mask_account("1234") == "****34"


def test_a_name_shows_its_first_character() -> None:
    """张* for 张三丰; nothing for nothing."""
    assert (mask_name("张三丰"), mask_name("")) == ("张*", "")


def test_an_attribute_is_shown_by_its_label() -> None:
    """C3 never, texts of C2 or sensitive ones by their first character, the rest whole."""
    assert mask_trait(declared("C3"), "123456") is None
    assert mask_trait(declared("C2"), "retired") == "r****"
    assert mask_trait(declared("C1"), "f") == "f"
    assert mask_trait(declared("C1", sensitive=True), "female") == "f****"
    assert mask_trait(declared("none"), "retail") == "retail"
    assert mask_trait(declared("C2"), 42) == 42


def test_an_undeclared_attribute_is_taken_for_personal() -> None:
    """What nobody labelled is masked."""
    assert mask_trait(None, "something") == "s****"
