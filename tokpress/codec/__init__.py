"""One file in, one file out: how a source becomes frames, and frames a source.

options     settings of a call              selection   which model, lzma or raw bytes store a frame
framing     a source in blocks              stream      compress and decompress files and bytes
restore     frames back to their source     file        tokpress.open, a file object      reader   its raw half
lossy, residual      tokens of lossy tokenizers, and the rest     ahead    several frames at once     archive/    many files in one
"""
