"""The training network: the scan against a plain loop, products of integers, and the exact prior it becomes."""

import numpy as np
import pytest
import torch

from tokpress.coding import Frame
from tokpress.coding.symbolwise import Symbolwise
from tokpress.priors.text.mingru import MinGRUPrior, tensor_shapes
from tokpress.training.nets.mingru import MinGRUNet, export, restore, shape_of
from tokpress.training.nets.quantized import (
    QuantLinear,
    product_dtype,
    quantize_rows,
    quantize_weight,
    set_product_dtype,
)
from tokpress.training.nets.scan import scan

B, T, C = 3, 9, 5


def inputs(seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    f, c, h0 = torch.rand(B, T, C, generator=rng), torch.randn(B, T, C, generator=rng), torch.randn(B, C, generator=rng)
    return f.requires_grad_(), c.requires_grad_(), h0


def plain(f, c, h):
    out = []
    for t in range(f.shape[1]):
        h = f[:, t] * h + (1 - f[:, t]) * c[:, t]
        out.append(h)
    return torch.stack(out, 1)


def test_scan_is_the_loop():
    (f, c, h0), (f2, c2, _) = inputs(), inputs()
    g = torch.randn(B, T, C, generator=torch.Generator().manual_seed(1))
    ours, theirs = scan(f, c, h0), plain(f2, c2, h0)
    torch.testing.assert_close(ours, theirs)
    ours.backward(g)
    theirs.backward(g)
    torch.testing.assert_close(f.grad, f2.grad)
    torch.testing.assert_close(c.grad, c2.grad)


def test_scan_gradient_is_the_difference_quotient():
    f, c, h0 = inputs(2)
    weights = torch.randn(B, T, C, generator=torch.Generator().manual_seed(3))

    def loss(f, c):
        return float((plain(f.double(), c.double(), h0.double()) * weights.double()).sum())

    (scan(f, c, h0) * weights).sum().backward()
    rng, e = np.random.default_rng(0), 1e-4
    for which, at in [(w, tuple(rng.integers(0, (B, T, C)))) for w in (0, 1) for _ in range(6)]:
        moved = [[x.detach().double().clone() for x in (f, c)] for _ in range(2)]
        moved[0][which][at] += e
        moved[1][which][at] -= e
        quotient = (loss(*moved[0]) - loss(*moved[1])) / (2 * e)
        assert (f, c)[which].grad[at] == pytest.approx(quotient, rel=1e-3, abs=1e-4)


def test_scan_keeps_torch_rules():
    torch.library.opcheck(scan, inputs(), test_utils=("test_schema", "test_faketensor", "test_autograd_registration"))


@pytest.mark.parametrize("normed", [False, True])
def test_products_are_of_integers(normed):
    torch.manual_seed(0)
    layer, x = QuantLinear(16, 8, normed=normed), torch.randn(4, 16)
    a, r = quantize_rows(x, normed)
    w, s = quantize_weight(layer.weight.detach())
    assert torch.equal(a, a.round()) and a.abs().max() == 127
    assert torch.equal(w, w.round()) and w.min() >= -64 and w.max() == 63
    exact = torch.from_numpy(a.numpy().astype(np.int64) @ w.numpy().astype(np.int64).T)
    torch.testing.assert_close(layer(x), exact.float() * s.T * r, rtol=1e-5, atol=1e-6)


def test_products_pass_gradients_straight_through():
    torch.manual_seed(0)
    layer, x = QuantLinear(16, 8), torch.randn(4, 16, requires_grad=True)
    g = torch.randn(4, 8)
    layer(x).backward(g)
    # as if nothing had been rounded, up to the rounding itself
    torch.testing.assert_close(x.grad, g @ layer.weight.detach(), rtol=0.1, atol=0.1)
    torch.testing.assert_close(layer.weight.grad, g.T @ x.detach(), rtol=0.1, atol=0.1)


def test_precision_is_chosen_for_the_device(monkeypatch):
    cpu = torch.device("cpu")
    assert product_dtype("bf16", cpu) is torch.bfloat16 and product_dtype("fp32", cpu) is torch.float32
    assert product_dtype("auto", torch.device("cuda")) is torch.bfloat16
    for has, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr("tokpress.training.nets.quantized._cpu_multiplies_bf16", lambda has=has: has)
        assert product_dtype("auto", cpu) is dtype
    net = MinGRUNet(16, 8, 2, 8)
    set_product_dtype(net, torch.bfloat16)
    assert net.head.product_dtype is net.blocks[1].ff_in.product_dtype is torch.bfloat16
    assert QuantLinear(4, 4).product_dtype is torch.float32


PLACE = np.random.default_rng(7).permutation(40).astype(np.int32)


@pytest.fixture(
    scope="module",
    params=[
        {},
        {"grams": 64, "features": 5},
        {"classes": 10},
        {"classes": 5, "place": PLACE, "grams": 64, "features": 5},
    ],
    ids=["plain", "grams", "classes", "classes elsewhere"],
)
def net(request):
    torch.manual_seed(4)
    net = MinGRUNet(40, 32, 2, 48, **request.param)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net


def test_export_has_the_model_files_tensors(net):
    tensors = export(net)
    expected = tensor_shapes(**net.config)
    assert {name: (t.shape, str(t.dtype)) for name, t in tensors.items()} == {
        name: (shape, kind.dtype) for name, (shape, kind) in expected.items()
    }
    for t in tensors.values():
        if t.dtype == np.int8:
            assert t.min() >= -64 and t.max() == 63
        assert np.isfinite(t).all()
    MinGRUPrior(net.config, tensors)


def test_restore_is_the_reverse_of_export(net):
    before = export(net)
    again = restore(before)
    assert shape_of(again.state_dict()) == net.config
    for name, tensor in export(again).items():
        if tensor.dtype == np.int8:
            assert np.array_equal(tensor, before[name]), name
        else:
            np.testing.assert_allclose(tensor, before[name], rtol=1e-6, err_msg=name)


def test_the_exact_prior_is_the_network(net):
    """Mean nats of stepping with integers and of the float32 forward pass, on the same tokens."""
    tokens = np.random.default_rng(5).integers(0, 40, (6, 200))
    shifted = np.concatenate([np.zeros((6, 1), np.int64), tokens[:, :-1]], 1)  # BEGIN, then the tokens
    with torch.no_grad():
        nats, _ = net(torch.from_numpy(shifted), torch.from_numpy(tokens), net.initial_state(6))
    prior, frame = MinGRUPrior(net.config, export(net)), Frame(tokens.size, lanes=6)
    bits = Symbolwise(prior, frame).score(tokens.astype(np.int32).ravel())
    assert bits.mean() * np.log(2) == pytest.approx(float(nats), rel=1e-3)
    coded = prior.codec(frame).score(tokens.astype(np.int32).ravel())
    assert coded.mean() * np.log(2) == pytest.approx(float(nats), rel=1e-3)


def test_state_carries_over_windows(net):
    tokens = torch.from_numpy(np.random.default_rng(6).integers(0, 40, (2, 65)))
    x, y = tokens[:, :-1], tokens[:, 1:]
    with torch.no_grad():
        whole, _ = net(x, y, net.initial_state(2))
        first, state = net(x[:, :32], y[:, :32], net.initial_state(2))
        second, _ = net(x[:, 32:], y[:, 32:], state)
    assert float((first + second) / 2) == pytest.approx(float(whole), rel=1e-4)


def test_symbols_keep_the_places_they_are_given():
    net = MinGRUNet(40, 32, 2, 48, classes=5, place=PLACE)
    tensors = export(net)
    assert np.array_equal(tensors["place"], PLACE) and tensors["place"].dtype == np.int32
    assert np.array_equal(restore(tensors).place.numpy(), PLACE)
    assert np.array_equal(export(MinGRUNet(40, 32, 2, 48, classes=5))["place"], np.arange(40))
    assert "place" not in dict(net.named_parameters())  # nothing to learn
    assert len(tensors["bias"]) == len(tensors["head.weight"]) == 45


def test_the_class_factored_loss_is_that_of_the_product():
    """Against the softmax of each level, in numpy; places that are swapped make another loss."""
    torch.manual_seed(1)
    net, x = MinGRUNet(40, 32, 1, 48, classes=5, place=PLACE), torch.randn(3, 7, 32)
    with torch.no_grad():
        net.bias.normal_()
        logits = (net.head(x) + net.bias).double().numpy().reshape(21, 45)
    targets = np.random.default_rng(2).integers(0, 40, (3, 7))
    class_logits, inside = logits[:, :5], logits[:, 5:].reshape(21, 5, 8)
    of_class, member = PLACE[targets.ravel()] // 8, PLACE[targets.ravel()] % 8
    rows, nats = np.arange(21), 0.0
    for level, own in ((class_logits, of_class), (inside[rows, of_class], member)):
        nats += (np.log(np.exp(level).sum(1)) - level[rows, own]).mean()
    with torch.no_grad():
        assert float(net.loss(x, torch.from_numpy(targets))) == pytest.approx(nats, rel=1e-4)
        net.place.copy_(torch.from_numpy(PLACE[::-1].copy()))
        assert float(net.loss(x, torch.from_numpy(targets))) != pytest.approx(nats, rel=1e-2)


@pytest.mark.parametrize("tables", [{}, {"grams": 64, "features": 5}], ids=["plain", "grams"])
def test_dropout_is_for_training_only(tables):
    """And no part of the model."""
    tokens = torch.from_numpy(np.random.default_rng(5).integers(0, 40, (2, 30)))
    nets = []
    for dropout in (0.0, 0.5):
        torch.manual_seed(3)
        nets.append(MinGRUNet(40, 32, 2, 48, **tables, dropout=dropout))
        if tables:
            torch.nn.init.normal_(nets[-1].embedding_grams.two.weight)
    plain, dropping = nets
    assert dropping.config == plain.config and list(dropping.state_dict()) == list(plain.state_dict())

    def nats(net):
        with torch.no_grad():
            return float(net(tokens, tokens, net.initial_state(2))[0])

    assert nats(plain.train()) == nats(plain)
    assert len({nats(dropping.train()) for _ in range(3)}) == 3
    assert nats(dropping.eval()) == nats(plain.eval())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_product_of_own_classes_is_that_of_all(dtype):
    """Values and gradients; one class is empty."""
    torch.manual_seed(0)
    layer, x = QuantLinear(24, 6 + 6 * 4, normed=True), torch.randn(50, 24, requires_grad=True)
    layer.product_dtype = dtype
    of_class = torch.randint(0, 5, (50,))
    factors = torch.randn(50, 6 + 4)

    def all_outputs():
        y = layer(x)
        return y[:, :6], y[:, 6:].unflatten(1, (6, 4))[torch.arange(50), of_class]

    found = []
    for parts in (layer.by_class(x, 6, of_class), all_outputs()):
        y = torch.cat(parts, 1)
        x.grad = layer.weight.grad = None
        (y * factors).sum().backward()
        found.append((y.detach(), x.grad.clone(), layer.weight.grad.clone()))
    for own, dense in zip(*found, strict=True):
        assert torch.allclose(own, dense, atol=1e-5 if dtype == torch.float32 else 0.05)
