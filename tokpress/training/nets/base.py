"""The contract of a prior's network in training."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from ...exact.orders import Order


class PriorNet(nn.Module, ABC):
    """Called with (inputs [B, T], targets [B, T], state), it returns (mean cross entropy in nats, the new state).

    A prior over items may also be given the tokens [B, M] that each item is predicted from, as a fourth argument."""

    #: order of the tokens of an item; None: a network over sequences
    item_order: Order | None = None
    #: M above; 0: nothing is given
    given_size: int = 0
    #: whether `forward` runs step by step, hundreds of steps one after another
    unrolls: bool = False

    @abstractmethod
    def initial_state(self, rows: int) -> list[Tensor]:
        """The state before the first token: tensors [B, D]."""
