"""Video by LFQ, with convolutions that are causal over time: the first frame alone is a picture.

    1 + f·k frames ──► (1 + k) × rows/down × columns/down codes,   f = `slower`

Yu et al. 2024, "Language model beats diffusion: tokenizer is key to visual generation" (MAGVIT-v2), §3.2: convolutions see
this frame and earlier ones only, and time is coarsened with the first frame apart, so that its tokens are those of a picture.
A video of any size is cut into such items over time, rows and columns (`tiled`). The first frame stands f times at the beginning, in
place of a padding of zeros. The bottleneck is that of LFQ.
"""

import math
from typing import ClassVar

from ...errors import TokpressError
from ...exact.network_ops import FieldOps, Values
from ...exact.orders import Shape
from .lfq import LFQTokenizer


class VideoLFQTokenizer(LFQTokenizer):
    name = "video_lfq"
    spatial = 3
    causal = (0,)
    defaults: ClassVar = {**LFQTokenizer.defaults, "shape": "5x32x32x3", "down": 4, "slower": 4}

    def factors(self) -> list[tuple[int, ...]]:
        slower, factors_of_stages = self.settings["slower"], []
        if slower < 1 or slower & (slower - 1):
            raise TokpressError(f"slower={slower} of the tokenizer {self.name!r} should be 1, 2, 4 …")
        if (self.sides[0] - 1) % slower:
            raise TokpressError(
                f"frames of shape={self.settings['shape']} should be 1 and a multiple of slower={slower}"
            )
        for factors in super().factors():
            time = 2 if slower > 1 else 1
            factors_of_stages.append((time, *factors[1:]))
            slower //= time
        if slower > 1:
            raise TokpressError(f"slower={self.settings['slower']} should be at most down={self.settings['down']}")
        return factors_of_stages

    def grid_sides(self) -> tuple[int, ...]:
        return (self.sides[0] - 1 + self.settings["slower"], *self.sides[1:])

    def shape_of_tokens(self) -> Shape:
        """The frames of codes one under the other."""
        return (self.latent[0] * self.latent[1], self.latent[2])

    def encoder(self, m: FieldOps, x: Values) -> Values:
        return super().encoder(m, m.ahead(x, self.settings["slower"] - 1))

    def decoder(self, m: FieldOps, codes: Values) -> Values:
        frames, first = super().decoder(m, codes), self.settings["slower"] - 1
        frame = math.prod(self.sides[1:])
        return m.cut(frames, first * frame, (first + self.sides[0]) * frame, self.sides)
