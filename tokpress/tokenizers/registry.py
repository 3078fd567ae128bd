"""Tokenizers by name, for config.json and `tokpress train tokenizer --kind`."""

from ..registry import Registry
from .base import Tokenizer

TOKENIZERS: Registry[type[Tokenizer]] = Registry(
    "tokenizer",
    {
        "bytes": "tokpress.tokenizers.text.bytes:BytesTokenizer",
        "nibbles": "tokpress.tokenizers.text.bytes:NibblesTokenizer",
        "bits": "tokpress.tokenizers.text.bytes:BitsTokenizer",
        "top_bit": "tokpress.tokenizers.text.bytes:TopBitTokenizer",
        "bpe": "tokpress.tokenizers.text.bpe:BPETokenizer",
        "chars": "tokpress.tokenizers.text.chars:CharsTokenizer",
        "palette": "tokpress.tokenizers.pixels.palette:PaletteTokenizer",
        "vq": "tokpress.tokenizers.learned.vq:VQTokenizer",
        "fsq": "tokpress.tokenizers.learned.fsq:FSQTokenizer",
        "lfq": "tokpress.tokenizers.learned.lfq:LFQTokenizer",
        "gumbel": "tokpress.tokenizers.learned.gumbel:GumbelTokenizer",
        "vqgan": "tokpress.tokenizers.learned.vqgan:VQGANTokenizer",
        "titok": "tokpress.tokenizers.learned.titok:TiTokTokenizer",
        "multiscale": "tokpress.tokenizers.learned.multiscale:MultiscaleTokenizer",
        "video_lfq": "tokpress.tokenizers.learned.video_lfq:VideoLFQTokenizer",
        "audio_rvq": "tokpress.tokenizers.learned.audio_rvq:AudioRVQTokenizer",
        "segments": "tokpress.tokenizers.segments:SegmentsTokenizer",
        "words": "tokpress.tokenizers.text.words:WordsTokenizer",
    },
)
register_tokenizer = TOKENIZERS.register
