"""Names → components. Built-in ones are imported on first use, so that `--help` and small inputs
import only what they touch; your own are added with `register_prior` / `register_tokenizer`. A name
that nobody has registered is looked for in installed packages (plugins.py)."""

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

from ..errors import UnknownComponentError
from ..types import Prior, Tokenizer

T = TypeVar("T", bound=type)

#: name → "module:class", relative to this package
_PRIORS: dict[str, "str | type[Prior]"] = {
    "histogram": "tokpress.priors.lecture.histogram:HistogramPrior",
    "adaptive": ".priors.context_mixing.prior:ContextMixingPrior",
    "samples": "tokpress.priors.linear_prediction.prior:SamplesPrior",
    "mingru": "tokpress.priors.text.mingru:MinGRUPrior",
    "memory": "tokpress.priors.compose.memory:MemoryPrior",
    "product": "tokpress.priors.compose.product:ProductPrior",
    "spelling": "tokpress.priors.text.bitwise:SpellingPrior",
    "logistic_mixture": "tokpress.priors.lecture.logistic_mixture:LogisticMixturePrior",
    "bayes_net": "tokpress.priors.lecture.bayes_net:BayesNetPrior",
    "made": "tokpress.priors.lecture.made:MADEPrior",
    "ensemble": "tokpress.priors.compose.ensemble:EnsemblePrior",
    "causal_conv": "tokpress.priors.lecture.causal_conv:CausalConvPrior",
    "wavenet": "tokpress.priors.lecture.wavenet:WaveNetPrior",
    "lstm": "tokpress.priors.lecture.lstm:LSTMPrior",
    "pixelcnn": "tokpress.priors.lecture.pixelcnn:PixelCNNPrior",
    "gated_pixelcnn": "tokpress.priors.lecture.gated_pixelcnn:GatedPixelCNNPrior",
    "transformer": "tokpress.priors.lecture.transformer:TransformerPrior",
    "sparse_transformer": "tokpress.priors.lecture.sparse_transformer:SparseTransformerPrior",
    "next_scale": "tokpress.priors.lecture.next_scale:NextScalePrior",
    "hierarchical": "tokpress.priors.lecture.hierarchical:HierarchicalPrior",
    "encoder_decoder": "tokpress.priors.lecture.encoder_decoder:EncoderDecoderPrior",
    "linear_attention": "tokpress.priors.lecture.linear_attention:LinearAttentionPrior",
    "ssm": "tokpress.priors.lecture.ssm:SSMPrior",
}
_TOKENIZERS: dict[str, "str | type[Tokenizer]"] = {
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
    "segments": ".tokenizers.segments:SegmentsTokenizer",
    "words": "tokpress.tokenizers.text.words:WordsTokenizer",
}


def _register(table: dict, kind: str, name: str) -> Callable[[T], T]:
    def add(cls: T) -> T:
        if name in table:
            raise ValueError(f"a {kind} named {name!r} is registered already")
        table[name] = cls
        return cls

    return add


def register_prior(name: str) -> Callable[[T], T]:
    """Class decorator: make a Prior usable by name in config.json, `train` and `compress`."""
    return _register(_PRIORS, "prior", name)


def register_tokenizer(name: str) -> Callable[[T], T]:
    """Class decorator: make a Tokenizer usable by name in config.json, `train` and `compress`."""
    return _register(_TOKENIZERS, "tokenizer", name)


def _find(table: dict, kind: str, name: str) -> type:
    found = table.get(name)
    if found is None:
        from .plugins import load_plugins

        load_plugins()
        found = table.get(name)
    if found is None:
        raise UnknownComponentError(
            f"no {kind} is called {name!r}; there are: {', '.join(sorted(table))}; one of your own is found with --import FILE"
        )
    if isinstance(found, str):
        module, cls = found.split(":")
        found = getattr(import_module(module, __package__), cls)
    return found


def prior_class(name: str) -> type[Prior]:
    return _find(_PRIORS, "prior", name)


def tokenizer_class(name: str) -> type[Tokenizer]:
    return _find(_TOKENIZERS, "tokenizer", name)


def prior_names() -> list[str]:
    return sorted(_PRIORS)


def tokenizer_names() -> list[str]:
    return sorted(_TOKENIZERS)
