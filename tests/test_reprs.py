"""What a notebook shows of models and bits."""

import numpy as np

import tokpress
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer


def test_a_model_is_a_table_without_markup_of_its_name():
    model = Model(BytesTokenizer(), HistogramPrior(256), name="<script>alert(1)</script>")
    shown = model._repr_html_()
    assert "<script" not in shown and "&lt;script&gt;" in shown and "histogram" in shown and "256 symbols" in shown
    assert model.id.hex() in model._repr_html_()


def test_bits_are_totals_and_a_strip():
    bits = Model(BytesTokenizer(), HistogramPrior(256)).score(b"again and again " * 200)
    shown = bits._repr_html_()
    assert f"{bits.bits_per_byte:.3f}" in shown and shown.count("data:image/png;base64,") == 1
    assert "<img" not in tokpress.Bits(np.zeros(0), np.zeros(0, np.int64))._repr_html_()
