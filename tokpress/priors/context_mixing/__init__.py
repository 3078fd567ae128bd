"""Context mixing of bytes, in plain Python integers: the definition that the core (native/core/context_mixing.c) follows bit for bit.

Read in this order: logistic (log-odds), histories (what followed a context, in a byte), slots (where histories live), counters
(a learned probability for each history), mixer (their weighted sum), correction (the last stage), match (the longest repeat),
contexts (what the contexts are), byte_model (the loop). These files are slow; they run where there is no core.
"""
