"""Models: a tokenizer and a prior in a directory.

model       `Model`: encode, decode, score and sample one source
bits        `Bits`: the result of a score
likeliest   the likeliest tokens at each place, and their probabilities
store       find models by name, path or id, without the network
places      where models may be: shipped, in folders, fetched, in data packages
remote      load or fetch a model, also from the Hugging Face Hub
hub         downloads from the Hub, their record, and the methods of `Model` for it
hub_mixin   a model as huggingface_hub sees it
missing     how to get a model that is not here
package     build a data package of models
loading     read a directory: a `Model`
contents    read a directory and check it
folder      the files of a directory, and the id as a hash of them
identity    lists of the ids of the shipped models, and of former ones (shipped/)
embedded    a model as bytes, for a file that stands alone
packed      pickling and copying of models
states      what models are after contexts, on disk
guard       stop a decoder whose tokens make too many bytes
"""
