"""Elements of HTML. Every text is escaped here, and nowhere else; only `Markup` passes as it is."""

from html import escape

from ._words import visible

_VOID = ("meta", "rect", "line", "polygon")


class Markup(str):
    """Text of HTML that is already escaped."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str) -> Markup:
    """Return an element. A child that is no Markup is a text; `class_` is the attribute `class`."""
    words = "".join(f' {_attribute(key)}="{escape(visible(value))}"' for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{words}/>")
    return Markup(f"<{name}{words}>{joined(*children)}</{name}>")


def joined(*children: str) -> Markup:
    """Return children one after the other; texts are escaped."""
    return Markup("".join(child if isinstance(child, Markup) else escape(visible(child)) for child in children))


def _attribute(key: str) -> str:
    return key if key == "viewBox" or key == "preserveAspectRatio" else key.rstrip("_").replace("_", "-")
