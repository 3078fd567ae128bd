"""The processes of one run (`accelerate launch`, `torchrun`): all of them train, the first one writes.

In a run of one process, `Team` needs neither torch nor accelerate.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from ...errors import TokpressError

T = TypeVar("T")


def make_accelerator(device: str = "auto") -> Any:
    """The Accelerator of this process, as the launcher set it up. The first call joins the other processes.

    Raises TokpressError where `device` is not there."""
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    # the others wait while the first one tokenizes a corpus of any size
    timeout = InitProcessGroupKwargs(timeout=timedelta(days=1))
    # accelerate joins processes on CPUs only where `cpu` is set
    cpu = device == "cpu" or (device == "auto" and not _has_accelerator())
    accelerator = Accelerator(cpu=cpu, kwargs_handlers=[timeout])
    if device not in ("auto", accelerator.device.type):
        raise TokpressError(f"no {device} device here, only {accelerator.device.type}; leave --device out to use that")
    return accelerator


def check_device(device: str) -> None:
    """Raises TokpressError where the device that the user names is not there."""
    if device not in ("cuda", "mps"):
        return
    import torch

    if not (torch.cuda if device == "cuda" else torch.backends.mps).is_available():
        raise TokpressError(f"no {device} device here; leave --device out to use what there is")


def _has_accelerator() -> bool:
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


class Team:
    """The processes that train together. size: how many; main: whether this is the first."""

    def __init__(self, device: str = "auto") -> None:
        several = int(os.environ.get("WORLD_SIZE", "1")) > 1
        self._accelerator = make_accelerator(device) if several else None
        self.size = self._accelerator.num_processes if self._accelerator else 1
        self.main = self._accelerator.is_main_process if self._accelerator else True

    def first(self, compute: Callable[[], T]) -> T:
        """The result of `compute`, which the first process runs; or its TokpressError, in every process."""
        if self.size == 1:
            return compute()
        from accelerate.utils import broadcast_object_list

        outcome: list[Any] = [None, None]  # the result, the message of an error
        if self.main:
            try:
                outcome[0] = compute()
            except TokpressError as error:
                outcome[1] = str(error)
                broadcast_object_list(outcome)
                raise
        broadcast_object_list(outcome)
        result, message = outcome
        if message is not None:
            raise TokpressError(message)
        return cast(T, result)
