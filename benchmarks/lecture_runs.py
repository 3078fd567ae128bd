"""What benchmarks/lecture.py trains: one line a run, with what was asked of it and what others had."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BITS, NIBBLES = 784, 196


@dataclass
class Run:
    name: str
    prior: str
    settings: dict[str, Any]
    #: bits: a pixel a token. nibbles: four pixels side by side
    tokenizer: str = "bits"
    #: further words of `tokpress train prior`
    flags: list[str] = field(default_factory=list)
    minutes: float = 40.0
    #: of the processor; the minutes asked for are of two
    threads: int = 1
    #: nats per image asked for (0: none)
    aim: float = 0.0
    #: of other people, and where it stands
    peer: str = ""
    #: row of the lecture
    lecture: str = ""

    @property
    def tokens_per_image(self) -> int:
        return BITS if self.tokenizer == "bits" else NIBBLES

    def command(self, corpus: Path, model: Path) -> list[str]:
        shape = "28x28" if self.tokenizer == "bits" else "28x7"
        settings = {"shape": shape, **self.settings}
        sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        words = ["train", "prior", str(corpus), "-o", str(model), "--prior", self.prior, "--tokenizer", self.tokenizer]
        # images may be seen as often as the minutes allow
        return [
            *words,
            *sets,
            "--max-minutes",
            f"{self.minutes:g}",
            "--max-passes",
            "10000",
            "-T",
            str(self.threads),
            *self.flags,
        ]


MADE = "MADE 88.40 with one hidden layer, one order (Germain et al. 2015, table 6)"
PIXEL = "PixelCNN 81.30 (van den Oord et al. 2016a, table 4)"
RUNS = [
    Run("pixelcnn", "pixelcnn", {}, "bits", ["--rows", "32"], threads=2, aim=84, peer=PIXEL, lecture="PixelCNN"),
    Run(
        "gated_pixelcnn",
        "gated_pixelcnn",
        {"width": 48, "depth": 5},
        "nibbles",
        ["--rows", "32"],
        60,
        aim=83,
        peer=PIXEL,
        lecture="Gated PixelCNN",
    ),
    Run("lstm_location", "lstm", {}, "nibbles", ["--rows", "128"], 50, aim=85, lecture="RNN with pixel location"),
    Run(
        "wavenet_location",
        "wavenet",
        {"width": 64},
        "nibbles",
        ["--rows", "32"],
        40,
        aim=86,
        lecture="WaveNet with pixel location",
    ),
    Run(
        "transformer",
        "transformer",
        {"width": 96, "depth": 3},
        "nibbles",
        ["--rows", "32"],
        40,
        aim=86,
        lecture="Transformer",
    ),
]
