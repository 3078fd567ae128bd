"""The exactness rule (docs/exactness.md): operations whose result is the same on every machine.

network_ops     the operations that networks are written in: arithmetic (step by step), parallel (known items), fields (autoencoders)
kernels, ops    the integer product; rows: quantise, normalise, softmax      attention, recurrent, logistics    parts of networks
orders, masks   scan orders; what a position may see      tensors, weights    what a model file may hold
guard*          test modes that reject other operations   threads             how many threads a frame may use
"""
