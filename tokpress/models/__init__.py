"""Models: a tokenizer and a prior in a directory.

model       `Model`: encode, decode, score and sample one source
bits        `Bits`: the result of a score
likeliest   the likeliest tokens at each place, and their probabilities
store       find models by name, path or id
loading     read a directory and check it: a `Model`
folder      the files of a directory, and the id as a hash of them
identity    a list of the ids of the shipped models (shipped/)
packed      pickling and copying of models
guard       stop a decoder whose tokens make too many bytes
"""
