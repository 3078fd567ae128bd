"""The processes of one run (`accelerate launch`, `torchrun`): the first one writes, all of them train.

A run in one process needs neither torch nor accelerate for this.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from ...errors import TokpressError

T = TypeVar("T")


def make_accelerator(device: str = "auto") -> Any:
    """Devices and processes as the launcher set them up; joins the others on the first call.

    Raises TokpressError where the device that was asked for is not there."""
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    # the others wait while the first one tokenizes a corpus of any size
    patience = InitProcessGroupKwargs(timeout=timedelta(days=1))
    # accelerate joins processes on CPUs only where it is told that there is nothing else
    cpu = device == "cpu" or (device == "auto" and not _other_devices())
    accelerator = Accelerator(cpu=cpu, kwargs_handlers=[patience])
    if device not in ("auto", accelerator.device.type):
        raise TokpressError(f"no {device} device here, only {accelerator.device.type}; leave --device out to use that")
    return accelerator


def _other_devices() -> bool:
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


class Team:
    def __init__(self, device: str = "auto") -> None:
        several = int(os.environ.get("WORLD_SIZE", "1")) > 1
        self._accelerator = make_accelerator(device) if several else None
        self.size = self._accelerator.num_processes if self._accelerator else 1
        self.main = self._accelerator.is_main_process if self._accelerator else True

    def first(self, work: Callable[[], T]) -> T:
        """The first process runs `work`; every process gets its result, or its TokpressError."""
        if self.size == 1:
            return work()
        from accelerate.utils import broadcast_object_list

        told: list[Any] = [None, None]
        if self.main:
            try:
                told[0] = work()
            except TokpressError as error:
                told[1] = str(error)
                broadcast_object_list(told)
                raise
        broadcast_object_list(told)
        if told[1] is not None:
            raise TokpressError(told[1])
        return told[0]
