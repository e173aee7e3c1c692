"""HTML of strangers made harmless, by nh3 (ammonia): nothing in it runs, sends, or is fetched from anywhere.

It belongs into the process that reads documents (:mod:`mailmove.mail.documents`): a parser that mends HTML as browsers
do takes time that grows with the square, or the cube, of some texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

_TAGS = {
    *("a", "abbr", "address", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center", "cite", "code", "col"),
    *("colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i"),
    *(
        "img",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "small",
        "span",
        "strike",
    ),
    *(
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
        "wbr",
    ),
}
_WITH_CONTENT = {
    *(
        "script",
        "style",
        "title",
        "template",
        "noscript",
        "iframe",
        "object",
        "svg",
        "math",
        "audio",
        "video",
        "select",
    ),
    "textarea",
}
_EVERYWHERE = {"style", "dir", "lang", "title", "align", "valign", "bgcolor", "color", "width", "height"}
_ATTRIBUTES = {
    "*": _EVERYWHERE,
    "a": {"href"},
    "img": {"src", "alt"},
    "font": {"size", "face"},
    "ol": {"start", "type"},
    "table": {"border", "cellpadding", "cellspacing"},
    "td": {"colspan", "rowspan", "nowrap"},
    "th": {"colspan", "rowspan", "nowrap"},
}
_WORDS = ("title", "alt")
_LINK = re.compile(r"(?:https?://|mailto:|tel:)[^\s]", re.IGNORECASE)
_EMBEDDED = re.compile(r"data:image/(?:png|jpe?g|gif|webp|bmp);base64,[A-Za-z0-9+/=\s]*+", re.IGNORECASE)
_SIMPLE = re.compile(r"[\w#%., +-]{0,200}")
_PROPERTY = re.compile(
    r"(?:background-)?color|font(?:-family|-size|-style|-weight|-variant)?|text-(?:align|decoration|indent|transform)"
    r"|(?:margin|padding)(?:-(?:top|right|bottom|left))?|border(?:-(?:top|right|bottom|left))?(?:-(?:color|style|width))?"
    r"|border-(?:collapse|spacing|radius)|(?:max-|min-)?width|height|line-height|letter-spacing|vertical-align|white-space"
    r"|word-(?:break|wrap)|overflow-wrap|list-style-type|display|direction|table-layout"
)
_VALUE = re.compile(r"""(?:(?:rgb|hsl)a?\([\d\s.,%/]*+\)|[\w\s#%.,!'"+-])*+""")


def sanitised(html: str, images: Mapping[str, str]) -> tuple[str, int]:
    """The harmless part of it, and how many images were left out because they lie elsewhere.

    ``images`` are those that the message brings along, as ``data:`` URLs by their Content-ID; they take their places.

    :raises ImportError: when nh3 is not installed.
    """
    import nh3

    left_out = 0

    def attribute(_: str, name: str, value: str) -> str | None:
        nonlocal left_out
        if name == "src":
            source = _image(value, images)
            left_out += source is None
            return source
        if name == "href":
            return value if _LINK.match(value) else None
        if name == "style":
            return _style(value) or None
        return value if name in _WORDS or _SIMPLE.fullmatch(value) else None

    clean = nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags=_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    )
    return clean, left_out


def _image(source: str, images: Mapping[str, str]) -> str | None:
    source = source.strip()
    if source[:4].lower() == "cid:":
        return images.get(source[4:]) or images.get(unquote(source[4:]))
    return source if _EMBEDDED.fullmatch(source) else None


def _style(value: str) -> str:
    """The declarations that only say how something looks, and fetch nothing."""
    said = (each.partition(":") for each in value.split(";"))
    return "; ".join(
        f"{name.strip().lower()}: {what.strip()}"
        for name, _, what in said
        if _PROPERTY.fullmatch(name.strip().lower()) and what.strip() and _VALUE.fullmatch(what)
    )
