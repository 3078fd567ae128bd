"""Mistakes in a prior or tokenizer of the user: each is an error that names the component, and its file and line where it raised."""

import copy
import itertools
import re
from pathlib import Path

import pytest

from tests.training.command import run
from tests.training.test_train import from_docs

pytestmark = pytest.mark.usefixtures("corpus")


#: a name is taken by the first component that has it: each test has its own in place of `pairs` and `digits`
NUMBERS = itertools.count()


def prior_with(old: str, new: str) -> tuple[str, str]:
    return _written("my_prior.py", from_docs("guide/prior.md", "@register_prior"), old, new)


def tokenizer_with(old: str, new: str) -> tuple[str, str]:
    return _written("my_tokenizer.py", from_docs("guide/tokenizer.md", "@register_tokenizer"), old, new)


def _written(name: str, code: str, old: str, new: str) -> tuple[str, str]:
    assert old in code
    number = next(NUMBERS)
    code = code.replace(old, new).replace('"pairs"', f'"pairs{number}"').replace('"digits"', f'"digits{number}"')
    Path(name).write_text(code)
    return "--import", name


def fails(*words) -> str:
    said = named(run("train", "prior", "texts", "-o", "made", *words, code=1).output)
    assert "please report" not in said and not Path("made").exists()
    return said


def own(name: str) -> str:
    """The name of the component that was written last."""
    return f"{name}{next(copy.copy(NUMBERS)) - 1}"


def named(said: str) -> str:
    return re.sub(r"(pairs|digits)\d+", r"\1", said)


FIT = "counts = np.ones("


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('    name = "pairs"\n', "", "ValueError: the class Pairs needs the attribute name = 'pairs'"),
        ('"pairs"', '"histogram"', "the name 'histogram' is taken by another prior"),
        (FIT, f'int(config["contexts"]); {FIT}', "line 18, in fit, of the prior 'pairs': ValueError: invalid literal for int()"),
        (FIT, f'int(config["other"]); {FIT}', "line 18, in fit, of the prior 'pairs': KeyError: 'other'"),
        (FIT, f"np.nothing; {FIT}", "line 18, in fit, of the prior 'pairs': AttributeError: module 'numpy' has no attribute"),
        ('tensors["counts"]', 'tensors["two"]', "made/.checkpoint/model/model.safetensors: the tensor 'two' is missing"),
        ('cls(tensors["counts"])', 'cls(config["two"])', "of the prior 'pairs': KeyError: 'two'; load gets the settings that config()"),
        (".sum(1, keepdims=True).astype(np.float32)", ".sum(1, keepdims=True)", "step of the prior 'pairs' returned float64 ["),
        ("np.zeros(rows, np.int32)", "np.zeros(999, np.int32)", "step of the prior 'pairs' returned float32 [999, 256]"),
        ("self.counts, self.vocab_size = counts, len(counts)", "self.counts = counts", "the prior 'pairs' lacks 'vocab_size'"),
    ],
)  # fmt: skip
def test_priors(old, new, said):
    mine = prior_with(old, new)
    assert said in fails("--prior", own("pairs"), "--set", "contexts=abc", *mine)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('    name = "digits"\n', "", "ValueError: the class Digits needs the attribute name"),
        ("    sizes = EachToken([1] * 256 + [2] * 100)\n", "", "my_tokenizer.py: the tokenizer 'digits' lacks 'sizes'"),
        ("    vocab_size = 256 + 100\n", "", "my_tokenizer.py: the tokenizer 'digits' lacks 'vocab_size'"),
        ("np.int32)", "np.float64)", "encode of the tokenizer 'digits' returned float64: it should return a buffer of int32"),
        ("return np.array", "np.array", "encode of the tokenizer 'digits' returned NoneType"),
        ("return cls()", "return cls(config['two'])", "in load, of the tokenizer 'digits': KeyError: 'two'"),
        ("piece[0] if", "piece[9] if", "my_tokenizer.py, line 20, in "),
    ],
)  # fmt: skip
def test_tokenizers(old, new, said):
    mine = tokenizer_with(old, new)
    assert said in fails("--prior", "histogram", "--tokenizer", own("digits"), *mine)
