"""tokpress score"""

import heapq
from collections.abc import Iterator
from pathlib import Path

import click

from . import costs, jobs, options
from .progress import tell_of_twins
from .terminal import say, show


@click.command()
@options.all_of(options.files, options.model, options.given, options.lanes, options.kernel, options.threads)
@click.option(
    "--by", type=click.Choice(list(costs.BY)), default="file", show_default=True, help="What each row is about."
)
@click.option("--top", type=click.IntRange(1), metavar="N", help="Only the N rows that cost most, the dearest first.")
@click.option("--rate", is_flag=True, help="With --top: cost most per byte, not in all.")
@click.option(
    "--context", "contexts", multiple=True, type=click.Path(exists=True, dir_okay=False), metavar="FILE",
    help="Let the model read this first, at no cost. Several: in their order. Implies --lanes 1.",
)  # fmt: skip
@options.all_of(options.as_json, options.verbose)
@click.pass_context
def score(ctx, files, model, given, lanes, kernel, by, top, rate, contexts, as_json, verbose):
    """How many bits each FILE costs, or each line, token or byte of it, under a model ("text" without -m).

    What costs much is what the model did not expect: --by line --top 20 finds the odd lines of a log.
    A token that reaches over the end of a line is charged to both lines, by share of bytes. Lanes start
    without context, which makes their first bytes dearer: --lanes 1 avoids it, slowly.
    """
    names = options.sources(files)
    tell_of_twins()
    from tokpress.models import store

    (chosen,) = options.bound([store.load(model or "text")], given)
    if contexts and (lanes or 1) != 1:
        raise click.UsageError("a context is read by one lane: leave --lanes out", ctx)
    context = b"".join(Path(name).read_bytes() for name in contexts)
    print_row = _JSON(by) if as_json else _Table(by)
    best: list[tuple[float, int, dict]] = []
    key, count = "bits_per_byte" if rate else "bits", 0

    def rows(name: str) -> Iterator[dict]:
        with jobs.reading(name, seekable=not chosen.tokenizer.lossless) as source:
            for row in costs.BY[by](costs.blocks(source, chosen, 1 if contexts else lanes, context, kernel)):
                yield {"file": options.shown(name)} | row

    def work(name: str) -> None:
        nonlocal count
        for row in rows(name):
            count -= 1  # of equals, the first comes first, and rows are never compared
            if top is None:
                print_row.add(row)
            elif len(best) < top:
                heapq.heappush(best, (row[key], count, row))
            else:
                heapq.heappushpop(best, (row[key], count, row))

    try:
        jobs.each(ctx, names, work)
    finally:
        for *_, row in sorted(best, reverse=True):
            print_row.add(row)
        print_row.end()


class _JSON:
    """One array of objects, printed as they come."""

    def __init__(self, by: str) -> None:
        self._before = "[\n"

    def add(self, row: dict) -> None:
        import json

        show(self._before + json.dumps(row))
        self._before = ",\n"

    def end(self) -> None:
        show("[]\n" if self._before == "[\n" else "\n]\n")


class _Table:
    """Tab-separated columns under a line that names them."""

    def __init__(self, by: str) -> None:
        place = {"file": [], "line": ["line"], "segment": ["segment", "kind"]}.get(by, ["offset"])
        more = {"file": ["bits_per_token", "bits_per_line"], "segment": []}.get(by, ["text"])
        self._columns = ["file", *place, "bits", "bytes", "bits_per_byte", *more]
        self._started = False

    def add(self, row: dict) -> None:
        if not self._started:
            say(*(column.replace("_", " ") for column in self._columns), separator="\t")
            self._started = True
        values = (row[column] for column in self._columns)
        say(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in values), separator="\t")

    def end(self) -> None:
        pass
