"""Three forms of one recurrence for training: loop, convolution, associative scan. Coding uses a fourth, `exact.recurrent`.

    h_t = A h_{t−1} + u_t per channel and complex state, y_t = Re Σ_N C_N h_N,t
    recurrent     T steps in order
    convolution   y = k ∗ u with k_t = Re Σ_N C_N A_N^t, by FFT in O(T log T) (Gu et al. 2022, S4, §2.4)
    scan          (A, u) pairs joined by (a₁, b₁)·(a₂, b₂) = (a₁a₂, a₂b₁ + b₂), in log₂ T passes (Blelloch 1990)

Linear attention is the same recurrence with an outer product for u and no decay; its parallel form multiplies queries
with keys inside a chunk and carries S from chunk to chunk (Katharopoulos et al. 2020; Hua et al. 2022, §3.2).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

#: parameters of a diagonal state space; A = exp(−softplus(log_decay) + i·angle)
PARTS = ("log_decay", "angle", "readout_re", "readout_im")
CHUNK = 64


def initial(width: int, size: int) -> dict[str, Tensor]:
    """Time scales from one step to a thousand, one a channel; frequencies, one a state (S4D-Lin)."""
    decay = torch.logspace(-3, -0.3, width)[:, None].expand(width, size)
    angle = (decay * math.pi * torch.arange(size)[None]).clamp(max=math.pi)
    scale = (1 - torch.exp(-2 * decay)).sqrt() / size**0.5
    return {
        "log_decay": torch.log(torch.expm1(decay)).clone(),
        "angle": angle.clone(),
        "readout_re": torch.randn(width, size) * scale,
        "readout_im": torch.randn(width, size) * scale,
    }


def discrete(log_decay: Tensor, angle: Tensor, readout_re: Tensor, readout_im: Tensor) -> dict[str, Tensor]:
    """Transition and readout of the recurrent form, real and imaginary parts: [2, C, N]."""
    size = torch.exp(-F.softplus(log_decay))
    transition = torch.stack([size * torch.cos(angle), size * torch.sin(angle)])
    return {"transition": transition, "readout": torch.stack([readout_re, readout_im])}


def continuous(transition: Tensor, readout: Tensor) -> dict[str, Tensor]:
    """The reverse of `discrete`."""
    a = torch.complex(*transition.double().unbind(0))
    decay = torch.log(torch.expm1(-torch.log(a.abs())))
    return dict(zip(PARTS, (decay.float(), a.angle().float(), *readout.unbind(0))))


def convolve(
    u: Tensor, h: Tensor, log_decay: Tensor, angle: Tensor, readout_re: Tensor, readout_im: Tensor
) -> tuple[Tensor, Tensor]:
    """u [B, T, C] and the state h [B, 2, C, N] before it → (y [B, T, C], the state after it)."""
    steps = u.shape[1]
    log_a = torch.complex(-F.softplus(log_decay), angle)
    c = torch.complex(readout_re, readout_im)
    powers = torch.exp(log_a[..., None] * torch.arange(steps + 1, device=u.device))  # [C, N, T + 1]
    kernel = torch.einsum("cn,cnt->tc", c, powers[..., :-1]).real
    n = 2 * steps
    y = torch.fft.irfft(torch.fft.rfft(u, n, dim=1) * torch.fft.rfft(kernel, n, dim=0), n, dim=1)[:, :steps]
    before = torch.complex(h[:, 0], h[:, 1])
    y = y + torch.einsum("bcn,cn,cnt->btc", before, c, powers[..., 1:]).real
    with torch.no_grad():
        after = before * powers[..., -1] + torch.einsum("btc,cnt->bcn", u.to(powers.dtype), powers[..., :-1].flip(2))
    return y, torch.stack([after.real, after.imag], 1)


def recurrent(u: Tensor, a: Tensor, c: Tensor) -> Tensor:
    """u [B, T, C], complex a, c [C, N] → y [B, T, C], step by step."""
    h, out = torch.zeros(len(u), *a.shape, dtype=a.dtype), []
    for u_t in u.unbind(1):
        h = a * h + u_t[..., None]
        out.append((c * h).sum(-1).real)
    return torch.stack(out, 1)


def scanned(u: Tensor, a: Tensor, c: Tensor) -> Tensor:
    """`recurrent` by an associative scan in log₂ T passes (Hillis & Steele 1986)."""
    steps = u.shape[1]
    b = u[..., None].to(a.dtype).expand(*u.shape, a.shape[1])
    factor, reach = a.expand(steps, *a.shape), 1
    while reach < steps:
        b = torch.cat([b[:, :reach], factor[reach:] * b[:, :-reach] + b[:, reach:]], 1)
        factor = torch.cat([factor[:reach], factor[reach:] * factor[:-reach]])
        reach *= 2
    return (c * b).sum(-1).real


def linear_attention(q: Tensor, k: Tensor, v: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
    """q, k > 0, v [B, T, H, d] and the sums (S, z) [B, H, d, d + 1] before them → (out [B, T, H, d], the sums after them)."""
    v = torch.cat([v, torch.ones_like(v[..., :1])], -1)
    out = []
    for at in range(0, q.shape[1], CHUNK):
        q_c, k_c, v_c = (x[:, at : at + CHUNK] for x in (q, k, v))
        inside = torch.einsum("bthd,bshd->bhts", q_c, k_c).tril()
        out.append(torch.einsum("bhts,bshe->bthe", inside, v_c) + torch.einsum("bthd,bhde->bthe", q_c, sums))
        sums = sums + torch.einsum("bshd,bshe->bhde", k_c, v_c)
    both = torch.cat(out, 1)
    return both[..., :-1] / both[..., -1:].clamp_min(2.0**-20), sums
