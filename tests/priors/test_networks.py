"""The networks of the lecture: what trains is what codes, and each sees what its picture says and nothing else."""

import numpy as np
import pytest
import torch

from tests.models import GIVEN, NETWORKS, tiny_network
from tokpress.errors import ModelError, TokpressError
from tokpress.exact import recurrent
from tokpress.models.model import Model
from tokpress.priors.lecture.network import NetworkPrior
from tokpress.priors.registry import PRIORS
from tokpress.training.nets import state_space
from tokpress.training.nets.arithmetic import Trained

#: rounding of an attention weight or of an activation on the edge between two integers
CLOSE = 0.02


def trained(name: str, seed: int = 0) -> tuple[NetworkPrior, Trained]:
    """A freshly initialised network with biases that are not zero, and the exact prior that it exports."""
    registered, settings, tokenizer = (NETWORKS | GIVEN)[name]
    cls = PRIORS.find(registered)
    assert issubclass(cls, NetworkPrior)
    plan = cls(settings, {}, tokenizer.vocab_size)
    net = Trained(plan.network, plan.shape, plan.order, seed, plan.given_size).eval()
    with torch.no_grad():
        for key, value in net.values.items():
            if key.endswith("bias"):
                value.normal_(std=0.2)
    return cls.load(plan.config(), net.export(), tokenizer.vocab_size), net


def stepped(prior: NetworkPrior, tokens: np.ndarray) -> np.ndarray:
    """ln p [B, T, V] of tokens [B, T], one lane each."""
    state, previous, out = prior.init(len(tokens), tokens.size), None, []
    for t in range(tokens.shape[1]):
        out.append(np.log(prior.step(state, previous, len(tokens))))
        previous = tokens[:, t].astype(np.int32)
    return np.stack(out, 1)


def parallel(net: Trained, tokens: np.ndarray) -> np.ndarray:
    """The same by the training form, an item (or everything) at once."""
    size, rows = net.item or tokens.shape[1], len(tokens)
    parts = []
    for at in range(0, tokens.shape[1], size):
        part = torch.from_numpy(tokens[:, at : at + size])
        inputs = torch.cat([torch.zeros(rows, 1, dtype=torch.long), part[:, :-1]], 1)
        with torch.no_grad():
            parts.append(net.logits(inputs, net.initial_state(rows))[0].log_softmax(-1).numpy())
    return np.concatenate(parts, 1)


def draw(prior: NetworkPrior, rows: int = 3) -> np.ndarray:
    steps = 2 * prior.stride if prior.shape else 40
    return np.random.default_rng(1).integers(0, prior.vocab_size, (rows, steps))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_stepped_form_is_the_trained_form(name):
    prior, net = trained(name)
    tokens = draw(prior)
    difference = np.abs(stepped(prior, tokens) - parallel(net, tokens))
    assert np.median(difference) < 1e-4
    assert difference.max() < CLOSE


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_given_is_used_alike(name):
    """Stepped and trained forms agree, item by item of several lanes, and other x give other conditionals."""
    prior, net = trained(name)
    tokens = draw(prior)
    given = np.random.default_rng(2).integers(0, prior.vocab_size, (len(tokens), 2, prior.given_size))
    by_steps = stepped(prior.with_given(given.ravel().astype(np.int32)), tokens)
    for item in range(2):
        part = slice(item * prior.stride, (item + 1) * prior.stride)
        net.given = torch.from_numpy(given[:, item])
        assert np.abs(by_steps[:, part] - parallel(net, tokens[:, part])).max() < CLOSE
    other = stepped(prior.with_given(given[::-1].ravel().astype(np.int32)), tokens)
    assert np.abs(by_steps - other).max() > 0.01


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_given_codes(name):
    """Through the whole path, with a header before the items and in every number of lanes."""
    tokenizer = GIVEN[name][2]
    prior, _ = trained(name)
    items = 7
    source = b"he" + np.random.default_rng(0).bytes(items * prior.stride // tokenizer.sizes.unit_tokens)
    given = np.random.default_rng(1).bytes(items * prior.given_size // 2 + 1)[: -(-items * prior.given_size // 2)]
    model = Model(tokenizer, prior).given(given)
    for lanes in (None, 1, 3):
        payload, tokens, used = model.encode(source, lanes)
        assert model.decode(payload, tokens, used) == source
    with pytest.raises(TokpressError, match="--given"):
        Model(tokenizer, prior).encode(source)
    with pytest.raises(TokpressError, match="one for each"):
        model.encode(source + source)


@pytest.mark.parametrize("name", [n for n, (_, s, _) in NETWORKS.items() if "shape" not in s])
def test_windows_hand_on_what_they_remember(name):
    """Of recurrent networks: two windows are as good as one."""
    prior, net = trained(name)
    if not net.states:
        pytest.skip("nothing is handed on: a window is all that it sees")
    tokens = torch.from_numpy(draw(prior))
    inputs = torch.cat([torch.zeros(len(tokens), 1, dtype=torch.long), tokens[:, :-1]], 1)
    with torch.no_grad():
        whole, _ = net.logits(inputs, net.initial_state(len(tokens)))
        first, state = net.logits(inputs[:, :20], net.initial_state(len(tokens)))
        second, _ = net.logits(inputs[:, 20:], state)
    near = torch.cat([first, second], 1) - whole
    if prior.name == "linear_attention":  # its convolution of two taps starts anew
        near = near[:, torch.arange(near.shape[1]) != 20][:, :20]
    assert near.abs().max() < CLOSE


@pytest.mark.parametrize("name", NETWORKS)
def test_export_and_restore_are_each_others_reverse(name):
    prior, net = trained(name)
    plan = type(prior)(prior.config(), {}, prior.vocab_size)
    again = Trained(plan.network, plan.shape, plan.order, seed=5)
    again.restore(prior.tensors())
    tokens = draw(prior)[:, : prior.stride if prior.shape else 40]
    assert np.abs(parallel(net, tokens) - parallel(again.eval(), tokens)).max() < CLOSE


def seen(prior: NetworkPrior, step: int) -> set[int]:
    """Steps whose symbol changes the conditional at `step`, by perturbation, each in a lane of its own."""
    found: set[int] = set()
    for seed in range(4):
        base = np.random.default_rng(seed).integers(0, prior.vocab_size, (1, prior.stride))
        others = np.repeat(base, prior.stride, 0)
        np.fill_diagonal(others, (base[0] + 1) % prior.vocab_size)
        at_step = stepped(prior, np.concatenate([base, others]))[:, step]
        found |= {t for t in range(prior.stride) if not np.array_equal(at_step[0], at_step[t + 1])}
    return found


def test_a_pixelcnn_has_a_blind_spot():
    prior, _ = trained("pixelcnn")
    rows, columns = prior.shape
    at = (rows - 1) * columns + 0  # the lower left corner
    assert seen(prior, at) < set(range(at))


def test_a_gated_pixelcnn_has_none():
    """Deep enough, it sees every pixel above and to the left; the other does not, however deep."""
    for name, blind in (("gated_pixelcnn", False), ("pixelcnn", True)):
        prior = tiny_network(name, {"shape": "6x8", "width": 12, "depth": 6}, 2)
        for at in (5 * 8, 5 * 8 + 3, 3 * 8 + 1):
            assert (seen(prior, at) < set(range(at))) == blind
            assert not seen(prior, at) - set(range(at))


@pytest.mark.parametrize("name", ["made", "transformer-images", "lstm-images", "linear_attention-images", "ssm-images"])
def test_others_see_all_that_came_before(name):
    prior, _ = trained(name)
    last = prior.stride - 1
    assert seen(prior, last) == set(range(last))


def test_a_sparse_transformer_sees_the_listed_steps_in_a_layer_and_all_in_two():
    prior, _ = trained("sparse_transformer")
    last = prior.stride - 1
    assert seen(prior, last) == set(range(last))


@pytest.mark.parametrize("width", [1, 5, 8, 12])
def test_linear_attention_steps_as_it_trains(width):
    """Whatever the width of a head, a power of two or not."""
    rng = np.random.default_rng(0)
    q, k = rng.random((2, 1, 9, 2, width)).astype(np.float32)
    v = rng.normal(size=(1, 9, 2, width)).astype(np.float32)
    whole, _ = state_space.linear_attention(*map(torch.from_numpy, (q, k, v)), torch.zeros(1, 2, width, width + 1))
    sums = np.zeros((1, 2, width, width + 1), np.float32)
    for t in range(9):
        step = recurrent.linear_attention(*(x[:, t].reshape(1, -1) for x in (q, k, v)), sums)
        np.testing.assert_allclose(step, whole[:, t].reshape(1, -1).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("transformer", {"width": 30, "heads": 4}), ("transformer", {"width": 2048, "heads": 1}),
     ("linear_attention", {"width": 40, "heads": 3}), ("made", {"shape": "2000x20"})],
)  # fmt: skip
def test_settings_that_cannot_be_are_named(name, settings):
    with pytest.raises(TokpressError, match=r"multiple of heads|too many weights"):
        plan = PRIORS.find(name)(settings, {}, 2)
        Trained(plan.network, plan.shape, plan.order)


def test_numbers_without_bounds_are_refused():
    prior = tiny_network("pixelcnn", {"shape": "5x6", "width": 12, "depth": 1}, 2)
    tensors = prior.tensors() | {"head.scale": np.full(2, 3e38, np.float32)}
    with pytest.raises(ModelError, match=r"head\.scale is out of bounds"):
        type(prior).load(prior.config(), tensors, 2)
    ssm = tiny_network("ssm", {"width": 8, "depth": 1, "states": 2}, 16)
    name = next(key for key in ssm.tensors() if key.endswith("transition"))
    with pytest.raises(ModelError, match="grow"):
        type(ssm).load(ssm.config(), ssm.tensors() | {name: np.full_like(ssm.tensors()[name], 1.5)}, 16)


def test_next_scale_sees_no_code_of_its_own_map():
    prior, _ = trained("next_scale")
    symbols = np.random.default_rng(0).integers(0, 16, 21)

    def pmfs(symbols):
        state, previous, out = prior.init(1, 21), None, []
        for symbol in symbols:
            out.append(prior.step(state, previous, 1).copy())
            previous = np.array([symbol], np.int32)
        return np.concatenate(out)

    before = pmfs(symbols)
    for at, end in ((0, 1), (2, 5), (6, 21)):
        other = symbols.copy()
        other[at] = 15 - other[at]
        changed = np.flatnonzero((pmfs(other) != before).any(1))
        assert set(range(end, 21)) == set(changed)  # all of the finer maps, nothing of its own


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own, while it looks at what is to be compiled
@pytest.mark.parametrize("name", [name for name in NETWORKS if not name.startswith("lstm")])
def test_training_is_one_graph(name):
    """A break in it would cost more than compiling gains, and warn whoever trains. (An LSTM's steps are not compiled.)"""
    prior, settings, tokenizer = NETWORKS[name]
    plan = PRIORS.find(prior)(settings, {}, tokenizer.vocab_size)
    net = Trained(plan.network, plan.shape, plan.order)
    torch.compiler.reset()  # the other networks count as recompilations
    compiled = torch.compile(net, fullgraph=True, dynamic=False, backend="eager")
    tokens = torch.zeros(2, net.item or 8, dtype=torch.long)
    loss, _ = compiled(tokens, tokens, net.initial_state(2))
    torch.testing.assert_close(loss, net(tokens, tokens, net.initial_state(2))[0])
