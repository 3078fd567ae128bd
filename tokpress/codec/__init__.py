"""One file in, one file out: from a source to frames, and back.

options         settings of a call                stream      compress and decompress files and bytes
framing         cuts a source into blocks         restore     frames back to their source
selection       the best model, by costs          file        tokpress.open, a file object; reader is its raw half
choose          trials: model, lzma or raw        ahead       several frames at a time
context         bytes that the models read first          incremental  compressor and decompressor of pieces
sink            bytes in, frames out
lossy, residual tokens of lossy tokenizers        archive/    many files in one
embedding       models within a file              migrate     a file coded again by other models
"""
