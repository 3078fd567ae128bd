"""Each method of a prior's codec in one call, for tests of priors."""

import numpy as np

from tokpress.coding import Frame
from tokpress.coding.base import Report, Tokens, Watch, silent, unwatched
from tokpress.priors.base import Prior


def encode(prior: Prior, tokens: Tokens, lanes: int = 1, report: Report = silent, kernel: str = "auto") -> bytes:
    return prior.codec(Frame(len(tokens), lanes, kernel)).encode(tokens, report)


def decode(
    prior: Prior, payload: bytes, count: int, lanes: int = 1, watch: Watch = unwatched, kernel: str = "auto"
) -> Tokens:
    return prior.codec(Frame(count, lanes, kernel)).decode(payload, count, watch)


def score(prior: Prior, tokens: Tokens, lanes: int = 1, kernel: str = "auto") -> np.ndarray:
    return prior.codec(Frame(len(tokens), lanes, kernel)).score(tokens)


def sample(prior: Prior, count: int, seed: int | None = None, temperature: float = 1.0, lanes: int = 1) -> Tokens:
    return prior.codec(Frame(count, lanes)).sample(count, seed, temperature)


def decode_noise(prior: Prior, noise: bytes, count: int, lanes: int = 1) -> Tokens:
    return prior.codec(Frame(count, lanes)).decode_noise(noise, count)
