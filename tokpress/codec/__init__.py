"""One file in, one file out: how a source becomes frames, and frames a source.

stream           compress and decompress streams and bytes
options          settings of a call
framing          cut a source into blocks
choose           store a block as a frame: by the best model, by lzma, or raw
selection        which model is best, by the costs of trials
encoded_frame    a frame in memory, before it is written
lossy, residual  frames of lossy tokenizers, without and with what their tokens leave out
restore          frames back to their source
ahead            work on several frames at once
file, reader     tokpress.open: a file object, and how it reads frames
archive/         many files in one
"""
