"""Context mixing of bytes in Python integers: the definition, which the core (native/core/context_mixing.c) follows bit for bit.

Read in this order: logistic (log-odds), histories (the bits after a context, in a byte), slots (the table of histories), counters
(a learned probability for each history), mixer (the weighted sum of log-odds), correction (the last stage), match (the longest
repeat), contexts (their hashes), byte_model (the loop). These files are slow; they run where there is no core.
"""
