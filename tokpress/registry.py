"""Names → components. Built-in ones are imported on first use, so that `--help` and small inputs
import only what they touch; your own are added with `register_prior` / `register_tokenizer`. A name
that nobody has registered is looked for in installed packages (plugins.py)."""

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

from .errors import UnknownComponentError
from .types import Prior, Tokenizer

T = TypeVar("T", bound=type)

#: name → "module:class", relative to this package
_PRIORS: dict[str, "str | type[Prior]"] = {
    "histogram": ".priors.histogram:HistogramPrior",
    "adaptive": ".priors.context_mixing.prior:ContextMixingPrior",
    "samples": ".priors.samples:SamplesPrior",
    "mingru": ".priors.mingru:MinGRUPrior",
    "memory": ".priors.memory:MemoryPrior",
    "product": ".priors.product:ProductPrior",
    "spelling": ".priors.spelling:SpellingPrior",
    "logistic_mixture": ".priors.logistic_mixture:LogisticMixturePrior",
    "bayes_net": ".priors.bayes_net:BayesNetPrior",
    "made": ".priors.made:MADEPrior",
    "ensemble": ".priors.ensemble:EnsemblePrior",
    "causal_conv": ".priors.causal_conv:CausalConvPrior",
    "wavenet": ".priors.wavenet:WaveNetPrior",
    "lstm": ".priors.lstm:LSTMPrior",
    "pixelcnn": ".priors.pixelcnn:PixelCNNPrior",
    "gated_pixelcnn": ".priors.gated_pixelcnn:GatedPixelCNNPrior",
    "transformer": ".priors.transformer:TransformerPrior",
    "sparse_transformer": ".priors.sparse_transformer:SparseTransformerPrior",
    "next_scale": ".priors.next_scale:NextScalePrior",
    "hierarchical": ".priors.hierarchical:HierarchicalPrior",
    "encoder_decoder": ".priors.encoder_decoder:EncoderDecoderPrior",
    "linear_attention": ".priors.linear_attention:LinearAttentionPrior",
    "ssm": ".priors.ssm:SSMPrior",
}
_TOKENIZERS: dict[str, "str | type[Tokenizer]"] = {
    "bytes": ".tokenizers.bytes:BytesTokenizer",
    "nibbles": ".tokenizers.bytes:NibblesTokenizer",
    "bits": ".tokenizers.bytes:BitsTokenizer",
    "top_bit": ".tokenizers.bytes:TopBitTokenizer",
    "bpe": ".tokenizers.bpe:BPETokenizer",
    "chars": ".tokenizers.chars:CharsTokenizer",
    "palette": ".tokenizers.palette:PaletteTokenizer",
    "vq": ".tokenizers.vq:VQTokenizer",
    "fsq": ".tokenizers.fsq:FSQTokenizer",
    "lfq": ".tokenizers.lfq:LFQTokenizer",
    "gumbel": ".tokenizers.gumbel:GumbelTokenizer",
    "vqgan": ".tokenizers.vqgan:VQGANTokenizer",
    "titok": ".tokenizers.titok:TiTokTokenizer",
    "multiscale": ".tokenizers.multiscale:MultiscaleTokenizer",
    "video_lfq": ".tokenizers.video_lfq:VideoLFQTokenizer",
    "audio_rvq": ".tokenizers.audio_rvq:AudioRVQTokenizer",
    "segments": ".tokenizers.segments:SegmentsTokenizer",
    "words": ".tokenizers.words:WordsTokenizer",
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
