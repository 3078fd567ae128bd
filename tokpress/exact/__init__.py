from collections.abc import Callable

#: called when a function must be compiled before it can run, which takes seconds; later it is read from a cache
on_compile: list[Callable[[], None]] = []
