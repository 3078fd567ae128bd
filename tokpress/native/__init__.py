"""The native core: the slow loops in C, each equal bit for bit to a short Python twin.

`library` loads the core and chooses the instruction set. Each other module binds one file of core/ through ctypes and computes
nothing. `build`, `stamp` and `backend` compile the core when the package is installed. Importing this package imports no numpy, because
small files are coded without it.
"""
