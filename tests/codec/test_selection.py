"""Which candidate codes a frame: by costs alone, and by those of the shipped models."""

from pathlib import Path

import numpy as np
import pytest

from tokpress.codec import choose, selection
from tokpress.codec.efforts import BEST_LANES, EFFORTS
from tokpress.codec.encoded_frame import encode
from tokpress.codec.options import Options
from tokpress.codec.selection import LARGE, PROSE_TEXT, TRIAL_SIZE, Cost, Part, Selection, is_prose, may_be_prose
from tokpress.container import lzma2
from tokpress.container.frames import Kind
from tokpress.models import store
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer

#: of a file up to TRIAL_SIZE; of a larger one; of one that is large
WHOLE, PIECES, LARGE_PART = Part(1000, 1000, 600), Part(1000, LARGE // 2, 600), Part(1000, LARGE, 600)


def tried(costs, part):
    """(the number chosen, the numbers tried, in order)"""
    selection, numbers = Selection(len(costs), part), []
    for number in selection:
        numbers.append(number)
        selection.add(number, costs[number])
    return selection.best and selection.best.number, numbers


def test_the_cheapest_is_chosen():
    assert tried([Cost(500), Cost(490)], WHOLE) == (1, [0, 1])
    assert tried([Cost(490), Cost(490)], WHOLE) == (0, [0, 1])
    assert tried([None, Cost(490)], WHOLE) == (1, [0, 1])
    assert tried([None, None], WHOLE) == (None, [0, 1])


def test_a_clear_win_ends_the_trials():
    clear = [Cost(400), Cost(300)]
    assert tried(clear, WHOLE) == (0, [0])
    assert tried(clear, PIECES) == (0, [0])
    for part in (LARGE_PART, WHOLE._replace(all_tried=True), WHOLE._replace(samples=True)):
        assert tried(clear, part) == (1, [0, 1])
    assert tried([Cost(100), Cost(90)], PIECES._replace(lzma=140)) == (1, [0, 1]), "it repeats itself"


@pytest.mark.parametrize("part", [PIECES, LARGE_PART])
def test_who_begins_with_nothing_gains_more_from_the_rest(part):
    """It wins a narrow trial, and loses a clear one."""
    narrow, clear = [Cost(500), Cost(520, starts_empty=True)], [Cost(500), Cost(540, starts_empty=True)]
    assert tried(narrow, part)[0] == 1 and tried(clear, part)[0] == 0
    assert tried(narrow, WHOLE)[0] == 0, "of a whole source there is no rest"


def test_a_single_candidate_is_tried_only_where_nothing_may_shrink_the_source():
    assert tried([Cost(1)], PIECES) == (0, [])
    assert tried([Cost(1)], PIECES._replace(lzma=990)) == (0, [0])
    assert tried([Cost(1)], PIECES._replace(lzma=990, by_user=True)) == (0, [])
    assert tried([Cost(1)], WHOLE) == (0, [0])


def test_a_final_cost_is_taken_at_once():
    assert tried([Cost(999, final=True), Cost(1)], PIECES) == (0, [0])
    assert is_prose(300, PIECES) and not is_prose(400, PIECES) and not is_prose(300, PIECES._replace(lzma=299))
    assert may_be_prose(PIECES)
    assert not any(may_be_prose(part) for part in (WHOLE, PIECES._replace(by_user=True), PIECES._replace(samples=True)))


def model_of(source, **options):
    coded = choose.choose_frame(source, Options(**options), lambda done: None)
    return coded.model.name if coded.model else coded.kind


def test_sources_and_the_models_that_code_them():
    drawn = np.random.default_rng(3).integers(0, (60, 4, 10_000), (1000, 3)).tolist()
    log = "".join(f"2026-11-27 17:{a:02} INFO [worker-{b}] request {c} served\n" for a, b, c in drawn).encode()
    python = Path(selection.__file__).read_bytes()
    noise = np.random.default_rng(1).bytes(TRIAL_SIZE + 1)
    records = np.cumsum(np.random.default_rng(2).integers(-9, 9, (4000, 2)), 0).astype("<i4").tobytes()
    assert model_of(log) == model_of(python) == "text" and model_of(records) == "context-mixing"
    assert model_of(python, effort="fast") == "context-mixing"
    assert model_of(python, effort="best") == "text-large"
    assert model_of(noise, effort="fast") == model_of(noise) == Kind.RAW


@pytest.mark.parametrize("options", [{}, {"effort": "fast"}, {"models": ["text"]}], ids=str)
def test_lzma_wins_by_matches_far_apart(options):
    """No part shows them, and no model finds them all: only lzma over the whole source does."""
    options = {
        key: [store.load(each) for each in value] if key == "models" else value for key, value in options.items()
    }
    noise = np.random.default_rng(5).bytes(1 << 18)
    coded = choose.choose_frame(noise + noise, Options(**options), lambda done: None)
    assert coded.kind == Kind.LZMA and len(coded.payload) < 1.01 * len(noise)


def test_full_lzma_is_left_out_only_where_it_would_lose():
    """The bound from the quick encoder holds for sources of many kinds."""
    draw = np.random.default_rng(6)

    def copies(letters, changed, count=15, size=20_000):
        """Copies of one sequence of letters, in each of which a share of them has changed."""
        pile = np.tile(draw.choice(list(letters), size), (count, 1))
        hit = draw.random(pile.shape) < changed
        pile[hit] = draw.choice(list(letters), int(hit.sum()))
        return pile.astype(np.uint8).tobytes()

    changed = np.tile(draw.integers(97, 123, 20_000), 20)
    changed[draw.integers(0, len(changed), 4000)] = 32
    kinds = {
        "text": b"".join(b"%d bottles of beer, %d on the wall\n" % (n, n * n) for n in range(9000)),
        "code": b"".join(sorted(path.read_bytes() for path in Path(selection.__file__).parent.glob("*.py"))),
        "noise": draw.bytes(300_000),
        "records": np.cumsum(draw.integers(-9, 9, (90_000, 2)), 0).astype("<i4").tobytes(),
        "letters": draw.choice(list(b"ACGT"), 300_000).astype(np.uint8).tobytes(),
        "copies of bases": copies(b"ACGT", 0.01),
        "distant copies of bases": copies(b"ACGT", 0.1),
        "bits as digits": copies(b"01", 0, 6, 50_000),
        "digits": copies(b"0123456789", 0.01),
        "bases after text": b"".join(b"%d bottles of beer\n" % n for n in range(9000)) + copies(b"ACGTN\n", 0.01),
        "sparse": np.where(draw.random(300_000) < 0.01, 255, 0).astype(np.uint8).tobytes(),
        "drafts": changed.astype(np.uint8).tobytes(),
    }
    for name, source in kinds.items():
        quick = lzma2.lzma_encode(source, lzma2.QUICK)
        least = lzma2.least_size(len(quick), lzma2.few_symbols(source), len(source))
        assert least < len(lzma2.lzma_encode(source)), name
        assert least or name not in ("text", "code", "noise", "records"), name


def test_tokens_of_the_text_model_tell_prose():
    text = store.load("text")
    drawn = np.random.default_rng(4).integers(256, text.tokenizer.vocab_size, 60_000).astype(np.int32)
    prose = text.tokenizer.decode(drawn)[: TRIAL_SIZE + 1000]
    part = Part(len(prose), len(prose) + 1, len(prose))
    tokens = len(text.tokenizer.encode(prose))
    assert is_prose(tokens, part) and PROSE_TEXT * tokens < len(prose)


@pytest.mark.parametrize("size", range(choose.LONGER + 2))
def test_a_source_that_cannot_shrink_is_stored(size):
    assert choose.choose_frame(bytes(size), Options(), lambda done: None).payload == bytes(size)


def test_best_takes_few_lanes_where_nobody_chose():
    """Any other number than the rule's is stored, and comes back."""
    source = bytes(range(97, 123)) * 400
    ours = Model(BytesTokenizer(), HistogramPrior(256, np.ones(256, np.int64)))
    rule = ours.prior.rules.lanes

    def lanes(**options):
        coded = encode(ours, source, Options(**options), lambda done: None)
        assert ours.decode(coded.payload, coded.tokens, coded.lanes or rule(coded.tokens)) == source
        return coded.lanes

    assert rule(len(source)) > BEST_LANES
    assert lanes(effort="best") == BEST_LANES and lanes(effort="best", lanes=3) == 3 and lanes() is None


def test_each_effort_has_candidates_with_and_without_samples():
    assert set(EFFORTS) == {"fast", "default", "best"}
    known = set(store.folders())
    assert all(names and set(names) <= known for both in EFFORTS.values() for names in both)
