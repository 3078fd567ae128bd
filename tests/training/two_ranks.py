"""One of two processes of a tiny run: `two_ranks.py TOKENS FOLDER`. Prints a digest of its final weights."""

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import torch

from tokpress.training.fit import fit
from tokpress.training.mingru_net import MinGRUNet
from tokpress.training.options import FitConfig
from tokpress.training.streams import Source

torch.set_num_threads(1)
rank = int(os.environ["RANK"])
torch.manual_seed(rank)  # different weights on purpose: the first process's win
net = MinGRUNet(32, 16, 1, 16)
config = FitConfig(max_steps=5, rows=4, window=16, compile=False, precision="fp32")
place = Path(sys.argv[2]) / str(rank)
progress = fit(net, [Source(Path(sys.argv[1]))], np.ones(32), config, place)
digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest()
print("RESULT", rank, digest, progress.step, progress.tokens, place.exists())
