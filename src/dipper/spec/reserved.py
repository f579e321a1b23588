"""The events that the engine itself reads, as specs like any other, with their properties.

Every program contains them, so that the tracking plan, the lake's columns and the scopes of
expressions know them without a special case. A bank uses their properties in its own events by
listing the name; it cannot redefine them. `identify` and `group` carry whatever the bank's
dictionary says is `of: person` and `of: organisation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dipper.expr.types import Type
from dipper.spec.document import Owners, Spec, Text
from dipper.spec.envelope import Role, Trust
from dipper.spec.kinds.event import Event
from dipper.spec.kinds.property import PiClass, Property, PropertyOf
from dipper.spec.kinds.table import RISK_LEVELS

OWNERS = Owners(business="dipper", technical="dipper", managing="dipper")

_PUBLIC: tuple[Trust, ...] = ("public", "server", "partner", "core")
_TRUSTED: tuple[Trust, ...] = ("server", "partner", "core")
_BANK: tuple[Trust, ...] = ("server", "core")
_CORE: tuple[Trust, ...] = ("core",)
_ENGINE: tuple[Trust, ...] = ("engine",)


class _Property(NamedTuple):
    type: Type
    zh: str
    en: str
    pi_class: PiClass = "none"
    sensitive: bool = False


class _Event(NamedTuple):
    zh: str
    en: str
    senders: tuple[Trust, ...]
    properties: tuple[str, ...]
    required: tuple[str, ...] = ()
    subjects: tuple[Role, ...] = ("person",)


_HOLDER: tuple[Role, ...] = ("person", "organisation")

_PROPERTIES = {
    "decision_id": _Property("text", "决策编号", "decision"),
    "offer": _Property("text", "推荐方案", "offer"),
    "treatment": _Property("text", "触达版本", "treatment"),
    "product": _Property("text", "产品", "product"),
    "line": _Property("text", "产品条线", "product line"),
    "arm": _Property("text", "实验分组", "arm"),
    "reason": _Property("text", "原因", "reason"),
    "purpose": _Property("text", "处理目的", "purpose"),
    "notice_version": _Property("text", "告知版本", "version of the notice"),
    "evidence": _Property("text", "授权凭证", "evidence of the consent", "C1"),
    "separate": _Property("bool", "单独同意", "given as a separate consent"),
    "other_id": _Property("text", "另一标识", "the other id, idtype:value", "C2"),
    "account": _Property("text", "账户", "account", "C2", sensitive=True),
    "opened_on": _Property("date", "开立日期", "opened on", "C1"),
    "closed_on": _Property("date", "关闭日期", "closed on", "C1"),
    "matures_on": _Property("date", "到期日期", "matures on", "C2"),
    "balance_fen": _Property("int", "余额（分）", "balance in fen", "C2"),
    "status": _Property("text", "状态", "status"),
    "risk_level": _Property("int", "风险承受等级 1-5", "risk tolerance, 1 to 5", "C2"),
    "valid_from": _Property("date", "生效日期", "valid from"),
    "valid_until": _Property("date", "失效日期", "valid until"),
    "segment": _Property("text", "客群", "segment"),
    "rule": _Property("text", "规则版本", "version of the rule"),
    "path": _Property("text", "页面路径", "path of the page"),
    "url": _Property("text", "页面地址", "address of the page", "C1"),
    "referrer": _Property("text", "来源页面", "page before", "C1"),
    "search": _Property("text", "查询串", "query of the address", "C1"),
    "title": _Property("text", "页面标题", "title of the page"),
    "page_name": _Property("text", "页面名称", "name of the page or screen"),
}

_OUTCOME = ("decision_id", "offer", "product", "line", "treatment")
_CONSENT = ("purpose", "notice_version", "separate", "evidence")
_PAGE = ("path", "url", "referrer", "search", "title", "page_name")

_EVENTS = {
    "offer_shown": _Event("方案曝光", "offer shown", _BANK, _OUTCOME, _OUTCOME[:2], _HOLDER),
    "offer_clicked": _Event("方案点击", "offer clicked", _BANK, _OUTCOME, _OUTCOME[:2], _HOLDER),
    "offer_dismissed": _Event(
        "方案关闭", "offer dismissed", _BANK, _OUTCOME, _OUTCOME[:2], _HOLDER
    ),
    "contact_sent": _Event("触达发送", "contact sent", _BANK, _OUTCOME, (), _HOLDER),
    "contact_failed": _Event(
        "触达失败", "contact failed", _BANK, (*_OUTCOME, "reason"), (), _HOLDER
    ),
    "consent_given": _Event("同意授权", "consent given", _BANK, _CONSENT, _CONSENT[:2], _HOLDER),
    "consent_withdrawn": _Event(
        "撤回授权", "consent withdrawn", _PUBLIC, _CONSENT, ("purpose",), _HOLDER
    ),
    "subject_bound": _Event("标识绑定", "subject bound", _BANK, ("other_id",), (), _HOLDER),
    "subject_unbound": _Event("标识解绑", "subject unbound", _BANK, ("other_id",), (), _HOLDER),
    "product_opened": _Event(
        "产品开立",
        "product opened",
        _CORE,
        ("product", "account", "opened_on"),
        ("product",),
        _HOLDER,
    ),
    "product_closed": _Event(
        "产品关闭",
        "product closed",
        _CORE,
        ("product", "account", "opened_on", "closed_on"),
        ("product",),
        _HOLDER,
    ),
    "holding_recorded": _Event(
        "持有登记",
        "holding recorded",
        _CORE,
        ("product", "account", "balance_fen", "status", "opened_on", "matures_on"),
        ("product", "account"),
        _HOLDER,
    ),
    "assessment_recorded": _Event(
        "风险测评登记",
        "assessment recorded",
        _CORE,
        ("risk_level", "valid_from", "valid_until"),
        ("risk_level", "valid_until"),
        _HOLDER,
    ),
    "segment_entered": _Event("进入客群", "segment entered", _ENGINE, ("segment", "rule")),
    "segment_left": _Event("离开客群", "segment left", _ENGINE, ("segment", "rule")),
    "segment_corrected": _Event("客群更正", "segment corrected", _ENGINE, ("segment", "rule")),
    "decision_made": _Event(
        "作出决策", "decision made", _ENGINE, ("decision_id", "arm"), ("decision_id",), _HOLDER
    ),
    "identify": _Event("识别用户", "identify", _PUBLIC, ()),
    "group": _Event("识别机构", "group", _PUBLIC, (), subjects=_HOLDER),
    "alias": _Event("合并标识", "alias", _TRUSTED, ("other_id",)),
    "page_viewed": _Event("浏览页面", "page viewed", _PUBLIC, _PAGE),
    "screen_viewed": _Event("浏览屏幕", "screen viewed", _PUBLIC, ("page_name",)),
}

RESERVED_EVENTS = tuple(_EVENTS)

RESERVED_PROPERTIES = tuple(_PROPERTIES)

# Numbers that a property may have, where its type alone says too little.
NUMBERS: dict[str, tuple[int, ...]] = {"risk_level": RISK_LEVELS}

# Core systems and SDKs put these columns of the envelope into the properties of these events; the
# collector takes them from there where the envelope itself says nothing.
ENVELOPE_IN_PROPERTIES: dict[str, tuple[str, ...]] = {
    "product_opened": ("org_unit", "channel", "staff"),
    "product_closed": ("org_unit", "channel", "staff"),
    "consent_given": ("channel",),
    "consent_withdrawn": ("channel",),
}


def personal_properties(dictionary: Mapping[str, Property]) -> frozenset[str]:
    """Properties that go with an erased person from a row that others share: what says something
    of that person alone. Amounts and places of the event are the other subject's too."""
    own = (name for name, spec in dictionary.items() if spec.of == "person")
    return frozenset((*own, "other_id", "evidence"))


_TRAITS_OF: dict[str, PropertyOf] = {"identify": "person", "group": "organisation"}


def is_reserved(kind: str, name: str) -> bool:
    """Whether the name belongs to an object that every program contains."""
    return (kind == "event" and name in _EVENTS) or (kind == "property" and name in _PROPERTIES)


def reserved(objects: Iterable[Spec]) -> tuple[Spec, ...]:
    """The reserved objects of a program whose other objects are these."""
    dictionary = sorted(
        (spec for spec in objects if isinstance(spec, Property)), key=lambda spec: spec.name
    )
    return (*map(_property, _PROPERTIES), *(_event(name, dictionary) for name in _EVENTS))


def _property(name: str) -> Property:
    fact = _PROPERTIES[name]
    return Property(
        name=name,
        title=Text(zh=fact.zh, en=fact.en),
        owners=OWNERS,
        type=fact.type,
        pi_class=fact.pi_class,
        sensitive=fact.sensitive,
    )


def _event(name: str, dictionary: Sequence[Property]) -> Event:
    fact = _EVENTS[name]
    traits = _TRAITS_OF.get(name)
    carried = tuple(spec.name for spec in dictionary if spec.of == traits and traits is not None)
    return Event.model_validate(
        {
            "name": name,
            "title": Text(zh=fact.zh, en=fact.en),
            "owners": OWNERS,
            "subjects": fact.subjects,
            "properties": (*fact.properties, *carried),
            "required": fact.required,
            "on_error": "omit" if traits else "fail",
            "from": fact.senders,
        }
    )
