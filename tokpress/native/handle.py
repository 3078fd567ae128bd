"""Objects of the core. Each is freed together with the Python object that owns it."""

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
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


class SavedHandle(Handle, ABC):
    """An object that reads a context, and whose state after it can be saved: in the object, to come back to, or as bytes, for other
    processes."""

    @abstractmethod
    def made_of(self) -> Iterator[Any]:
        """Buffers with all that it was made of: objects made of the same are alike."""

    @abstractmethod
    def learn(self, context: Any) -> None:
        """Read a context before anything else: a buffer of tokens that both sides know. What is coded follows it."""

    @abstractmethod
    def resume(self, context: Any, state: bytes) -> None:
        """Take up the state after a context instead of reading it. Raises CoreError where these bytes are none of such an object, which is of
        no use then; whether they are damaged is for the caller to check."""

    def save(self) -> None:
        """Remember the state after the context. `restore` goes back to it, as often as it is wanted."""
        self.call("save", [])

    def restore(self) -> None:
        self.call("restore", [])

    def state(self, fresh: "SavedHandle") -> bytes:
        """The state after the context as bytes, before anything is coded. fresh: an object made of the same, which has read nothing."""
        size = self.call("write_state", [POINTER, POINTER, COUNT], fresh.pointer, None, 0)
        state = bytearray(size)
        self.call("write_state", [POINTER, POINTER, COUNT], fresh.pointer, library.writable(state)[0], size)
        return bytes(state)

    def key(self, context: Any) -> bytes:
        """32 bytes that tell apart the states of other objects, contexts, instruction sets and sources of the core."""
        from hashlib import blake2b  # slow to import

        digest = blake2b(digest_size=32)
        for part in (f"{self.kind} {library.layout(self.using)}".encode(), *self.made_of(), context):
            view = memoryview(part)
            digest.update(view.nbytes.to_bytes(8, "little"))
            if view.nbytes:
                digest.update(view.cast("B"))
        return digest.digest()

    def _take_up(self, state: bytes) -> None:
        self.call("read_state", [POINTER, COUNT], *library.address(state))
