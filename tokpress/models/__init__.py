"""Models: a tokenizer and a prior in a directory.

model       encode, decode, score and sample one source       bits       the scores
folder      the directory: parts and identity                 loading    a directory becomes a model
store       models by name, path or id                        identity   the ids of the shipped ones (shipped/)
packed      pickling and copying                              guard      stops a decoder whose tokens make too many bytes
"""
