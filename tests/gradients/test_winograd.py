"""Winograd's way to a convolution's weight gradients gives what torch's own gives."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.gradients import winograd


def torchs(X, G, padding):
    weight = torch.zeros(G.shape[2], X.shape[1], 3, 3, dtype=X.dtype, requires_grad=True)
    z = torch.nn.functional.conv2d(X, weight, padding=padding)
    return torch.stack([torch.autograd.grad(z, weight, g, retain_graph=True)[0] for g in G])


@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.tuples(st.integers(3, 11), st.integers(3, 11)),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_any_size_and_padding(tasks, batch, inputs, outputs, size, padding):
    torch.manual_seed(0)
    X = torch.randn(batch, inputs, *size, dtype=torch.float64)
    G = torch.randn(tasks, batch, outputs, *(n + 2 * p - 2 for n, p in zip(size, padding, strict=True)), dtype=X.dtype)
    torch.testing.assert_close(winograd.weight_gradients(X, G, padding), torchs(X, G, padding), rtol=1e-9, atol=1e-9)


def test_single_precision_is_kept():
    torch.manual_seed(0)
    X, G = torch.randn(2, 16, 32, 32), torch.randn(3, 2, 16, 32, 32)
    exact = torchs(X.double(), G.double(), (1, 1))
    error = (winograd.weight_gradients(X, G, (1, 1)) - exact).norm() / exact.norm()
    assert error < 1e-5


@pytest.mark.parametrize(
    ("shape", "stride", "dilation", "groups", "dtype"),
    [
        ((16, 16, 5, 5), 1, 1, 1, torch.float32),
        ((16, 16, 3), 1, 1, 1, torch.float32),
        ((8, 16, 3, 3), 1, 1, 1, torch.float32),
        ((16, 16, 3, 3), 2, 1, 1, torch.float32),
        ((16, 16, 3, 3), 1, 2, 1, torch.float32),
        ((32, 16, 3, 3), 1, 1, 2, torch.float32),
        ((16, 16, 3, 3), 1, 1, 1, torch.bfloat16),
    ],
)
def test_others_are_left_to_torch(shape, stride, dilation, groups, dtype):
    assert winograd.is_faster(torch.zeros(16, 16, 3, 3), (1, 1), (1, 1), 1)
    assert not winograd.is_faster(torch.zeros(shape, dtype=dtype), (stride, stride), (dilation, dilation), groups)
