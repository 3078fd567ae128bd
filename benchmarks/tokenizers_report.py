"""docs/tokenizers.md, its plots and reconstructions, from what benchmarks/tokenizers.py measured."""

import math
from pathlib import Path
from typing import Any

from results import machine_line, markdown
from tokenizers_pictures import reconstructions
from tokenizers_runs import DATA, RUNS

BEGIN, END = "<!-- measured: benchmarks/tokenizers.py writes what follows -->", "<!-- end of measured -->"
Kept = dict[str, dict[str, Any]]
#: of log₂ K bits a token, that a prior was asked to save
LEAST_SAVED = 0.25
#: of all codes, on the test files, that a tokenizer was asked to use
LEAST_USED = 0.95


def report(kept: Kept, docs: Path, work: Path) -> None:
    """Write everything anew; nothing where nothing has been measured."""
    kept = {run.name: kept[run.name] for run in RUNS if run.name in kept}
    if not kept:
        return
    lines: list[str] = []
    for name, data in DATA.items():
        mine = {key: m for key, m in kept.items() if m["data"] == name}
        if not mine:
            continue
        lines += [f"### {data.about}", "", *_table(mine), "", *_short(mine)]
        if plot(mine, docs / f"tokenizers_{name}.png"):
            lines += [f"![Held-out decibels while training](tokenizers_{name}.png)", ""]
        if data.pictures:
            lines += _one_picture(mine)
        lines += reconstructions(list(mine), name, docs, work)
    wrong = [name for name, m in kept.items() if m["wrong"]]
    lines += [
        f"**Wrong: {', '.join(wrong)} did not come back.**"
        if wrong
        else "Every file came back as the reconstruction that was stored.",
        "",
    ]
    lines += ["### Commands and machines", ""]
    lines += [
        f"* {name}: {'; '.join(f'`{each}`' for each in m['commands'] if each != 'tokpress ')}"
        for name, m in kept.items()
    ]
    lines += ["", *(f"Machine: {line}." for line in sorted({machine_line(m["machine"]) for m in kept.values()}))]
    _replace(docs / "tokenizers.md", lines)


def _table(kept: Kept) -> list[str]:
    measure = next(iter(kept.values()))["measure"]
    head = ["run", "codes K", f"used (aim: {LEAST_USED:.0%})", "dead, replaced", "perplexity", f"{measure}, dB", "bytes a token", "tokens an item", "log₂ K", "bits/token, files", "saved",
            "bits/token, streams", f"saved (aim: {LEAST_SAVED:.0%})", "bytes of all files", "model bytes", "encode, s", "decode, s"]  # fmt: skip
    return markdown(head, [_row(name, m) for name, m in kept.items()])


def _row(name: str, m: dict[str, Any]) -> list[str]:
    whole, bits, stream = (
        math.log2(m["codes"]),
        *(8 * m[what] / m["tokens"] for what in ("coded_bytes", "stream_bytes")),
    )
    return [
        name, f"{m['codes']:,}", f"{m['used'] / m['codes']:.1%}", _replaced(m), f"{m['perplexity']:.0f}",
        f"{m['decibels']:.2f}", f"{m['source_bytes'] / m['tokens']:.1f}", f"{m['item_tokens']:,}", f"{whole:.2f}", f"{bits:.3f}", f"{1 - bits / whole:.1%}",
        f"{stream:.3f}", f"{1 - stream / whole:.1%}",
        f"{m['coded_bytes']:,} of {m['source_bytes']:,}", f"{m['model_bytes']:,}", f"{m['encode_seconds']:g}",
        f"{m['decode_seconds']:g}",
    ]  # fmt: skip


def _replaced(m: dict[str, Any]) -> str:
    """Codes that were found dead in training, each time; a dash where that was not counted, or cannot be."""
    counts = [point["dead_codes_replaced"] for point in m.get("curve") or [] if "dead_codes_replaced" in point]
    return f"{sum(counts):,}" if counts else "–"


def _short(kept: Kept) -> list[str]:
    """Which runs use fewer codes, or save less, than was asked for."""
    used = {name: m["used"] / m["codes"] for name, m in kept.items()}
    few = [f"{name} ({part:.1%})" for name, part in used.items() if part < LEAST_USED]
    share = {name: 1 - 8 * m["stream_bytes"] / m["tokens"] / math.log2(m["codes"]) for name, m in kept.items()}
    short = [f"{name} ({saved:.1%})" for name, saved in share.items() if saved < LEAST_SAVED]
    return [
        f"Asked was that {LEAST_USED:.0%} of the codes are used on the test files; short of it: {', '.join(few) or 'none'}. Asked was to",
        f"save {LEAST_SAVED:.0%} of log₂ K, judged by streams; short of it: {', '.join(short) or 'none'}.",
        "",
    ]


def _one_picture(kept: Kept) -> list[str]:
    """Without loss, and the lecture's accounting of one picture."""
    told = {name: m for name, m in kept.items() if "exact_bytes" in m}
    if not told:
        return []
    first = next(iter(told.values()))
    head = [
        "run",
        "lossless: tokens and the rest",
        "bits/sub-pixel",
        "256 × 256: tokens",
        "symbols, of 196,608",
        "bytes",
        "factor",
    ]
    rows = [
        [
            name, f"{m['exact_bytes']:,}", f"{8 * m['exact_bytes'] / m['file_bytes']:.3f}", f"{m['crop_tokens']:,}",
            f"{196608 / m['crop_tokens']:.0f} times fewer", f"{m['crop_bytes']:,}", f"{196608 / m['crop_bytes']:.0f}",
        ]
        for name, m in told.items()
    ]  # fmt: skip
    return [
        f"One picture, {first['file']}, {first['file_bytes']:,} bytes. Coded directly, without a tokenizer and without loss, it "
        f"takes {first['direct_bytes']:,} bytes ({8 * first['direct_bytes'] / first['file_bytes']:.3f} bits/sub-pixel). The "
        "columns on the right are of its middle 256 × 256 pixels, stored with loss.",
        "",
        *markdown(head, rows),
        "",
    ]


def plot(kept: Kept, path: Path) -> bool:
    """Held-out decibels against minutes; whether there are curves."""
    curves = {name: m["curve"] for name, m in kept.items() if m.get("curve")}
    if not curves:
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    # runs of sound from before it was told as SNR have the other one: of the same plot, all or none
    what = "snr" if all("held_out_snr" in p for curve in curves.values() for p in curve) else "psnr"
    for name, curve in curves.items():
        points = [p for p in curve if f"held_out_{what}" in p]
        axes.plot([p["seconds"] / 60 for p in points], [p[f"held_out_{what}"] for p in points], label=name)
    axes.set_xlabel("minutes of training, one core")
    axes.set_ylabel("held-out SNR, dB" if what == "snr" else "held-out PSNR, dB, peak to peak")
    axes.legend()
    figure.savefig(path, dpi=100, metadata={"Software": None})
    return True


def _replace(path: Path, lines: list[str]) -> None:
    """What stands between the marks."""
    text = path.read_text("utf-8") if path.is_file() else f"# Tokenizers\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(before + "\n".join([BEGIN, "", *lines, "", END]) + after, "utf-8")
