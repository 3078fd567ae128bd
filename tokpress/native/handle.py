"""Objects of the core. Each is freed together with the Python object that owns it."""

import ctypes
from collections.abc import Callable
from typing import Any

from . import library

POINTER, COUNT = ctypes.c_void_p, ctypes.c_int64


class Handle:
    """An object of the core, whose functions are `tp_<kind>_<name>`. One thread at a time may use it."""

    #: the prefix of the names of its functions
    kind: str
    #: address of the core's object; None before it exists
    pointer: int | None = None

    def hold(self, pointer: int | None, using: str | None) -> None:
        """Own an object of the core. using: an instruction set, for tests. Raises MemoryError if the pointer is null."""
        if not pointer:
            raise MemoryError("the core found no memory")
        self._free = library.function(f"{self.kind}_free", POINTER, result=None, using=using)
        self.pointer, self.using = pointer, using

    def create(self, types: list[Any], *arguments: Any, using: str | None) -> None:
        """Own a new object: the last parameter of `tp_<kind>_new` receives its address. A negative result raises an error."""
        address = POINTER()
        new = library.function(f"{self.kind}_new", *types, POINTER, using=using)
        library.checked(new(*arguments, ctypes.byref(address)))
        self.hold(address.value, using)

    def __del__(self) -> None:
        if self.pointer:
            self._free(self.pointer)
            self.pointer = None

    def function(self, name: str, *types: Any, result: Any = COUNT) -> Callable[..., Any]:
        """The function `tp_<kind>_<name>`, whose first argument is the pointer."""
        return library.function(f"{self.kind}_{name}", POINTER, *types, result=result, using=self.using)

    def call(self, name: str, types: list[Any], *arguments: Any) -> int:
        """Call a function of this object. A negative result raises an error (`library.checked`)."""
        return library.checked(self.function(name, *types)(self.pointer, *arguments))
