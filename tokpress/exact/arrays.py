"""Types of the arrays that exact arithmetic computes with.

Features, weights and scales are float32. numpy's type stubs widen the results of float32 arithmetic to `floating`, so `Floats` does too.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: float32: features, scales, learned vectors
Floats: TypeAlias = NDArray[np.floating[Any]]
#: tokens, positions, int8 weights
Integers: TypeAlias = NDArray[np.integer[Any]]
#: 0 and 1
Mask: TypeAlias = NDArray[np.int8]
