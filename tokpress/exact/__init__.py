"""The exactness rule (docs/exactness.md): operations whose results have the same bits on every machine.

network_ops     the operations of networks: arithmetic (step by step), parallel (known items), fields (autoencoders); arrays: types
kernels, ops    the integer product; rows: quantise, normalise, softmax      attention, recurrent, logistics    parts of networks
orders, masks   scan orders; visible positions            tensors, weights    bounds of the tensors in a model file
guard*          test modes that reject other operations   threads             how many threads a frame may use
"""
