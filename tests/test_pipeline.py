"""The choice per frame."""

import numpy as np

import tokpress
from tokpress import pipeline


def test_a_trial_on_a_part_is_never_taken_for_the_frame():
    """Noise longer than a trial: the adaptive prior's trial is larger than its part, but smaller than the frame."""
    source = np.random.default_rng(3).bytes(pipeline.TRIAL_SIZE + 5000)
    packed = tokpress.compress(source)
    assert len(packed) <= len(source) + 24 and tokpress.decompress(packed) == source
