"""The pages of score and bench in headless Chromium, where there is one: a click, a hover, keys, both colour schemes."""

import io
import json

import numpy as np
import pytest

from tests.models import tiny_bitwise
from tests.pages import browser
from tests.pages.test_document import HOSTILE
from tokpress.bench.measure import Row, Run
from tokpress.cli.bench_page import page as bench_page
from tokpress.models.model import Model
from tokpress.tokenizers.text.bytes import BytesTokenizer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.found() is None, reason="there is no Chromium here"),
]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.opened(str(browser.found()), tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def shown(run, place, chromium):
    """The page of `score` in the browser. It has no errors, opens no dialog and loads nothing but itself."""

    def call(name, *args, **settings):
        run("score", "--html", "page.html", "-f", *args, name)
        chromium.requests.clear()
        chromium.open(place / "page.html", **settings)
        return chromium

    yield call
    assert chromium.problems == []
    assert [each for each in chromium.requests if not each.startswith("data:image/png;")] == [
        (place / "page.html").as_uri()
    ]


def colours(screenshot: bytes) -> np.ndarray:
    Image = pytest.importorskip("PIL.Image")
    return np.asarray(Image.open(io.BytesIO(screenshot)).convert("RGB"))


@pytest.mark.parametrize("dark", [False, True])
def test_text(shown, run, place, tiny, dark):
    (place / "log").write_bytes(b"cab\n" * 400 + b"ERROR!\n" + b"cab\n" * 400)
    page = shown("log", "-m", tiny, dark=dark)
    (token, *_) = json.loads(run("score", "--json", "--by", "token", "-m", tiny, "log").stdout)[1:]
    assert page.evaluate("document.querySelectorAll('#tokens .t').length") == 3207
    page.hover("#t1")
    assert "“a”" in page.text("#reading") and f"{token['bits']:.3f} bits · 1 byte at offset 1" in page.text("#reading")
    assert page.text("#likeliest").count("%") == 5 and "“a” ← this token" in page.text("#likeliest")
    ground = colours(page.screenshot())[2, 2]
    assert (ground < 64).all() if dark else (ground > 192).all()
    page.click("#lines li:first-child a")
    assert page.evaluate("document.activeElement.id") == "t1600"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("“E”: ")
    assert page.evaluate("document.querySelectorAll('.t.line').length") == 7
    box = page.evaluate("(b => [b.top, b.bottom])(document.activeElement.getBoundingClientRect())")
    assert 0 <= box[0] < box[1] <= 900 and "“E”" in page.text("#reading")
    for key, found in (("ArrowRight", "t1601"), ("ArrowUp", "t1596"), ("ArrowDown", "t1600"), ("n", "t1601"),
                       ("p", "t1600"), ("p", "t1600"), ("Home", "t0"), ("ArrowLeft", "t0"), ("End", "t3206")):  # fmt: skip
        page.press(key)
        assert page.evaluate("document.activeElement.id") == found, key
    assert page.evaluate("document.querySelectorAll('#tokens [tabindex]').length") == 1
    page.evaluate(
        "(e => { e.value = 'bits_per_byte'; e.dispatchEvent(new Event('change')); })(document.querySelector('#order'))"
    )
    assert page.text("#lines li:first-child").startswith("line 401: ")


def test_a_narrow_window(shown, place, tiny):
    (place / "a").write_bytes(b"abc " * 50 + b"a" * 500)
    page = shown("a", "-m", tiny, width=400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_alternatives_before_mixing(shown, place):
    (place / "a").write_bytes(b"some words, some words")
    Model(BytesTokenizer(), tiny_bitwise()).save(place / "bitwise")
    page = shown("a", "-m", "bitwise")
    page.click("#t3")
    assert page.text("#likeliest").count("%") == 5 and "before mixing" in page.text("caption")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_content(shown, place, tiny, text):
    name = text.replace("/", "_").replace("\x00", "")
    (place / name).write_bytes(text.encode() * 2)
    page = shown(name, "-m", tiny)
    count = len(text.encode()) * 2
    assert page.evaluate("[document.scripts.length, document.querySelectorAll('#tokens .t').length]") == [2, count]
    page.hover("#t0")
    assert page.text("#reading").startswith("“")
    if text.isascii() and text.isprintable():
        assert page.evaluate("document.querySelector('#tokens').textContent") == text * 2
        assert page.text("h1") == page.evaluate("document.title") == f"Bits of {name}"


def test_a_picture(shown, place):
    rows, columns = np.mgrid[:40, :60]
    noise = np.random.default_rng(0).integers(0, 256, (40, 60))
    (place / "a.pgm").write_bytes(b"P5 60 40 255\n" + np.where(rows < 20, columns, noise).astype(np.uint8).tobytes())
    page = shown("a.pgm", "-m", "linear-prediction")
    assert page.evaluate("(i => [i.naturalWidth, i.naturalHeight])(document.querySelector('#picture'))") == [60, 40]
    context = "document.querySelector('#heat').getContext('2d')"
    heat = np.array(page.evaluate(f"[...{context}.getImageData(0, 0, 60, 40).data]")).reshape(40, 60, 4)
    assert heat[21:].mean() > 1.5 * heat[1:19].mean()
    page.hover("#picture", 0.99, 0.99)
    assert page.text("#reading").startswith("Pixel in column 59, row 39: ")
    page.evaluate("document.querySelector('#heat').focus()")
    page.press("ArrowUp")
    page.press("ArrowLeft")
    assert page.text("#reading").startswith("Pixel in column 58, row 38: ")
    page.click("#places li:first-child button")
    assert page.text("#reading").startswith("Columns ") and page.text("#places li:first-child").startswith("column ")


def test_sound(shown, place):
    import wave

    samples = np.zeros(4000, "<i2")
    samples[2000:2100] = np.random.default_rng(0).integers(-30000, 30000, 100)
    with wave.open(str(place / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 4000, "NONE", ""))
        file.writeframes(samples.tobytes())
    page = shown("a.wav", "-m", "linear-prediction")
    page.hover("#wave", 0.0005, 0.5)
    assert page.text("#reading").startswith("Samples 0 to 3: ")
    page.evaluate("document.querySelector('#cost').focus()")
    page.press("End")
    assert page.text("#reading").startswith("Samples 3,996 to 3,999: ")
    page.click("#places li:first-child button")
    start = int(page.text("#reading").split()[1].replace(",", ""))
    assert 2000 <= start < 2100


def test_bench(chromium, place):
    rows = [
        Row("book", codec, 10**6, compressed_bytes=size, decompress_seconds=seconds)
        for codec, size, seconds in (("tokpress", 200000, 4), ("xz<b>", 300000, 0.06), ("xz", 301000, 0.06))
    ]
    (place / "bench.html").write_bytes(bench_page(Run([], rows=rows)))
    chromium.requests.clear()
    chromium.open(place / "bench.html")
    assert chromium.evaluate("document.querySelectorAll('tbody tr').length") == 3
    assert chromium.evaluate("[...document.querySelectorAll('.label')].map(e => e.textContent)") == [
        "tokpress",
        "xz<b>",
        "xz",
    ]
    estimated = (
        "[...document.querySelectorAll('.label')].every(e => e.getComputedTextLength() <= 7.3 * e.textContent.length)"
    )
    assert chromium.evaluate(estimated)
    assert chromium.problems == [] and chromium.requests == [(place / "bench.html").as_uri()]
