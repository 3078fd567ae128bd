"""The HTML of a page: whatever the text and the data are, they become neither markup nor a script, and nothing is loaded."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokpress.pages import document

HOSTILE = [
    "</script><script>alert(1)</script>", "<!--<script>", "]]>", "<img src=x onerror=alert(1)>", "\"' onload='alert(1)", "&lt;&#60;",
    "\u2028\u2029\x00\x1b[31m\x7f", "\u202e\u2066\u200f", "</title></style></textarea>", "\ufeff{}{0}{body}", "javascript:alert(1)",
]  # fmt: skip


class Parsed(HTMLParser):
    """Elements with their attributes, and the text of each kind of element."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.comments: list[str] = []
        self._open: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_comment(self, data):
        self.comments.append(data)

    def handle_data(self, data):
        if self._open:
            self.texts[self._open[-1]] = self.texts.get(self._open[-1], "") + data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def data_of(page: bytes) -> object:
    found = re.findall(rb'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert len(found) == 1
    return json.loads(found[0])


def check_harmless(page: bytes) -> Parsed:
    """Only the script and the style of the page itself, nothing from elsewhere."""
    parsed = Parsed(page)
    assert not parsed.comments and not parsed._open
    assert [each.get("type") for each in parsed.named("script")] in ([], ["application/json", None])
    for tag, attributes in parsed.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form"), tag
        assert not any(name.startswith("on") or name in ("src", "srcset", "style", "action") for name in attributes)
        assert not (attributes.get("href") or "#").startswith(("http", "//", "java", "data"))
    assert b"@import" not in page and b"url(" not in page
    return parsed


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text(text):
    page = document.page(text, f"<h1>{document.escape(text)}</h1>", {text: [text]}, "score.js")
    parsed = check_harmless(page)
    shown = text.replace("\x00", "")  # HTML has none
    assert parsed.texts["h1"].replace("\x00", "") == parsed.texts["title"].replace("\x00", "") == shown
    assert data_of(page) == {text: [text]}


@given(st.text())
def test_any_data(text):
    packed = document.embedded([text])
    assert json.loads(packed) == [text] and packed.isascii() and packed.isprintable() and not set("<>&") & set(packed)


def test_numbers_that_json_does_not_have():
    with pytest.raises(ValueError):
        document.embedded([float("nan")])


def test_the_policy_allows_its_own_script_and_style_alone():
    parsed = check_harmless(document.page("a", "<p>b</p>", [], "score.js"))
    (policy,) = (each["content"] for each in parsed.named("meta") if "http-equiv" in each)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    code = re.search(rb"</script>\n<script>(.*)</script>\n</body>", document.page("a", "", [], "score.js"), re.DOTALL)
    for name, text in (("script-src", code[1]), ("style-src", parsed.texts["style"].encode())):
        assert rules[name] == f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "script-src" not in document.page("a", "").decode() and not check_harmless(document.page("a", "")).named(
        "script"
    )


# --- colours


def schemes() -> dict[str, dict[str, str]]:
    style = files("tokpress.pages").joinpath("page.css").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    values = {name: dict(re.findall(r"--(\w+): (#\w{6})", part)) for name, part in (("light", light), ("dark", dark))}
    assert values["light"].keys() == values["dark"].keys()
    return values


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2, "relative luminance")."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrasts(scheme):
    """WCAG 2, AA: 4.5 for text, 3 for marks."""
    colours = schemes()[scheme]
    for ground in ["paper", "panel", *(f"l{i}" for i in range(1, 9))]:
        assert contrast(colours["ink"], colours[ground]) >= 4.5, ground
    for text in ("soft", "link"):
        assert min(contrast(colours[text], colours[ground]) for ground in ("paper", "panel")) >= 4.5
    for mark in ("mark", "bar", "wave", "cost"):
        assert min(contrast(colours[mark], colours[ground]) for ground in ("paper", "panel")) >= 3
    assert all(contrast(colours["bar"], colours[f"l{i}"]) >= 3 for i in range(3, 9))
