"""The priors of text: a recurrent network, its heads, and bitwise mixing with contexts of bytes.

mingru      the network (core/text.c)             grams         tables of hashed n-grams beside the embedding
class_head  a class-factored softmax              online_head   an output layer that learns while it codes
core        codecs in the native core             bitwise*      a token as a path of binary decisions
"""
