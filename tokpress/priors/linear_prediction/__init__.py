"""Linear prediction of pixels and sound that learns as it codes: the definition, which native/core/linear_prediction.c follows bit for bit.

geometry.py        the order of samples, their values, their neighbours
least_squares.py   weights that would have been best so far        filters.py   long filters of a recording
guesses.py         eight guesses of the next sample, and what they learn from it
mixing.py          one binary decision, predicted by experts and contexts together
residuals.py       a sample as a few such decisions
codec.py           the samples of a source to a payload and back
frame.py           the codec of a frame: the samples, and the bytes around them
arithmetic.py      float32 in a fixed order        bits.py the range coder over bits
"""
