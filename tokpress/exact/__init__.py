"""The exactness rule: every number that a coder depends on is the same on every machine.

`ops`, `kernels`, `attention`, `recurrent`, `logistics` compute; `network_ops` says what networks are written in, `arithmetic`
(step by step), `parallel` (known items) and `fields` (autoencoders) are its exact forms; `tensors` and `weights` check what a
model file holds; `orders` and `masks` say who sees whom; `guard` and `guard_numpy` reject inexact operations in tests.
"""
