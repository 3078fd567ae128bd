"""The native core: the slow loops in C, each equal bit for bit to a short Python twin.

`library` loads it and chooses the instruction set; each other module binds one file of core/ through ctypes, and computes
nothing. `build`, `stamp` and `backend` are scripts that compile it, when the package is installed. Nothing here imports numpy: a small
file is coded without it.
"""
