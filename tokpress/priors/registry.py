"""Priors by name, for config.json and `tokpress train prior --prior`."""

from ..registry import Registry
from .base import Prior

PRIORS: Registry[type[Prior]] = Registry(
    "prior",
    {
        "histogram": "tokpress.priors.lecture.histogram:HistogramPrior",
        "context_mixing": "tokpress.priors.context_mixing.prior:ContextMixingPrior",
        "linear_prediction": "tokpress.priors.linear_prediction.prior:LinearPredictionPrior",
        "mingru": "tokpress.priors.text.mingru:MinGRUPrior",
        "memory": "tokpress.priors.compose.memory:MemoryPrior",
        "product": "tokpress.priors.compose.product:ProductPrior",
        "bitwise": "tokpress.priors.text.bitwise:BitwisePrior",
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
    },
)
register_prior = PRIORS.register
