"""One of two processes of a tiny run: `two_ranks.py TOKENS FOLDER [DIE_AT]`. Prints a digest of its final weights.

With DIE_AT it kills itself, as a machine that loses power would, when so many steps are done."""

import hashlib
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

from tokpress.training.data.streams import Source
from tokpress.training.loop.fit import fit
from tokpress.training.nets.mingru import MinGRUNet
from tokpress.training.options import FitConfig, FitOptions

CONFIG = FitConfig(
    max_steps=6, max_minutes=600, rows=4, window=16, warmup=2, compile=False, precision="fp32", checkpoint_seconds=0
)


def small_net(seed: int) -> MinGRUNet:
    torch.manual_seed(seed)
    return MinGRUNet(32, 16, 1, 16)


def main(tokens: str, folder: str, die_at: int = -1) -> None:
    torch.set_num_threads(1)
    asked = 0

    def die() -> bool:
        nonlocal asked
        if asked == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        asked += 1
        return False

    rank = int(os.environ["RANK"])
    net = small_net(rank)  # different weights on purpose: the first process's win
    resume = Path(folder).exists()
    progress = fit(net, [Source(Path(tokens))], np.ones(32), FitOptions(Path(folder), CONFIG, resume, stop=die))
    digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest()
    print("RESULT", rank, digest, progress.step, progress.tokens)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
