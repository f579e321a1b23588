"""Which field names say that their value authenticates somebody (C3 of JR/T 0171).

A name is split into words first, so that `PinBlock`, `pin_block` and `card-pin` are found and
`shipping` is not. Only names stand here; `never_store` looks at values.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

_WORDS = """
    pin pins pin1 pin2 pinblock pincode password passwords passwd passphrase passcode pwd pswd
    cvv cvv1 cvv2 cvc cvc1 cvc2 cvn cvn1 cvn2 cav cav2 csc track1 track2 track3 trackdata
    magstripe otp
"""
_PHRASES = """
    track1 track2 track3 trackdata magneticstripe magstripe stripedata securitycode safetycode
    verificationvalue cardverification smscode dynamiccode dynamicpassword facetemplate
    voiceprint fingerprinttemplate pinblock passwordhash
"""
_COMPANIONS = """
    expiry expirydate expiration expirationdate expdate cardexpiry validthru validthrough
    goodthru expmonth expyear cardcode checkcode verificationcode seccode
"""
SECRET_WORDS = frozenset(_WORDS.split())
SECRET_PHRASES = frozenset(_PHRASES.split())
SECRET_PARTS = (
    "password",
    "passwd",
    "passphrase",
    "pinblock",
    "trackdata",
    "securitycode",
    "cvv",
    "cvn2",
    "cvc2",
    "密码",
    "口令",
    "磁道",
    "磁条",
    "安全码",
    "验证码",
    "校验码",
    "动态码",
    "声纹",
    "指纹模板",
    "人脸模板",
)
INNOCENT_PHRASES = frozenset({"pinyin"})
CARD_COMPANIONS = frozenset(_COMPANIONS.split())
"""Names that are secret only beside a card number."""
CARD_COMPANION_PARTS = ("有效期",)

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: 'CardPIN-block2' gives card, pin, block2."""
    plain = unicodedata.normalize("NFKC", name)
    return _WORD.findall(_HUMP.sub("_", plain).lower())


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is never stored."""
    words = words_of(name)
    pairs = {first + second for first, second in pairwise(words)}
    if pairs & INNOCENT_PHRASES:
        return False
    if pairs & SECRET_PHRASES or not SECRET_WORDS.isdisjoint(words):
        return True
    joined = "".join(words)
    return joined in SECRET_WORDS or any(part in joined for part in SECRET_PARTS)


def is_card_companion(name: str) -> bool:
    """Whether a field of this name is never stored beside a card number (expiry, check code)."""
    joined = "".join(words_of(name))
    return joined in CARD_COMPANIONS or any(part in joined for part in CARD_COMPANION_PARTS)
