"""Logs, source, mark-up, programs, databases: the adaptive prior alone against xz -9e."""

import re

from data import chosen, database, programs
from results import Figure, markdown

from . import Bench, Outcome, fewer, rate

SHARE, SPEED = 0.8, 300.0
FILES = (
    *(f"logs/{name}_2k.log" for name in ("Apache", "HDFS", "OpenStack", "Thunderbird")),
    *("text/calgary/progc", "text/calgary/progl", "text/canterbury/fields.c"),
    *("text/html", "text/canterbury/cp.html"),
    *("text/calgary/obj2", "silesia/ooffice", "silesia/osdb"),
)


def run(bench: Bench) -> Outcome:
    files = chosen(bench.files, FILES) | programs()
    if (novel := bench.files.get("text/canterbury/alice29.txt")) is not None:
        words = sorted(set(re.findall(r"[a-z]{2,}", novel.read_text("latin-1"))))
        files["generated/shop.sqlite"] = database(bench.scratch / "shop.sqlite", words)
    lines, wins, total_bytes = [], 0, 0
    seconds = {"compress": 0.0, "decompress": 0.0}
    for name, path in files.items():
        ours = bench.row("tokpress:adaptive", name, path, rounds=2)
        theirs = bench.row("xz", name, path)["compressed_bytes"]
        # "alone": the container may have fallen back on lzma or raw, which is then no merit of the prior
        alone = set(ours["stored"]) == {"adaptive"}
        won = alone and ours["compressed_bytes"] < theirs
        wins += won
        total_bytes += ours["source_bytes"]
        for action in seconds:
            seconds[action] += ours[f"{action}_codec_seconds"]
        lines.append([
            name, f"{ours['source_bytes']:,}", f"{ours['compressed_bytes']:,}" if alone else f"stored as {ours['stored']}",
            f"{theirs:,}", f"{fewer(ours['compressed_bytes'], theirs):.1f}" if alone else "",
            *(f"{rate(ours['source_bytes'], ours[f'{action}_codec_seconds']):.0f}" for action in seconds),
        ])  # fmt: skip
    speeds = {action: rate(total_bytes, taken) for action, taken in seconds.items()}
    title = f"adaptive prior alone, {len(files)} mixed files"
    figures = [
        Figure(f"{title}: smaller than xz -9e", "≥ 8 of 10", f"{wins} of {len(files)}", wins >= SHARE * len(files)),
        Figure(
            f"{title}: decoding, model loaded", f"≥ {SPEED:g} KB/s", f"{speeds['decompress']:.0f} KB/s",
            speeds["decompress"] >= SPEED,
        ),
        Figure(
            f"{title}: `compress -m adaptive`, the comparison with lzma included", f"≥ {SPEED:g} KB/s",
            f"{speeds['compress']:.0f} KB/s", speeds["compress"] >= SPEED,
        ),
    ]  # fmt: skip
    head = ["file", "bytes", "adaptive", "xz -9e", "% under xz", "encode KB/s", "decode KB/s"]
    return figures, markdown(head, lines)
