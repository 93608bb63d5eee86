"""The field's derivatives are those of autograd, and so are the gradients through them."""

import pytest
import torch
from torch import nn

from gradnorm.models.field import Field
from gradnorm.models.hidden import last_hidden


def field(inputs=3, outputs=2, depth=3):
    return Field(inputs, outputs, width=7, depth=depth, seed=1).double()


def expected(model, points, second):
    """u, its first and its second derivatives by autograd, one output at a time."""
    x = points.clone().requires_grad_()
    u = model(x)
    first = torch.stack([torch.autograd.grad(part.sum(), x, create_graph=True)[0] for part in u.T], -1)
    curved = [
        torch.stack([torch.autograd.grad(own.sum(), x, create_graph=True)[0][:, a] for own in first[:, a].T], -1)
        for a in second
    ]
    return u, first.movedim(1, 0), torch.stack(curved) if curved else u[None][:0]


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("second", [(), (0,), (2, 0), (0, 1, 2)])
def test_derivatives(second, depth):
    model, points = field(depth=depth), torch.randn(5, 3, dtype=torch.float64)
    found = model.derivatives(points, second)
    for own, other in zip((found.value, found.first, found.second), expected(model, points, second), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("second", [(), (1,), (2, 0)])
def test_gradients_through_derivatives(second):
    model, points = field(), torch.randn(5, 3, dtype=torch.float64)

    def gradients(u, first, curved):
        loss = (u.sum() * first.square()).sum().sin() + (curved.sum(0) * u + first[0] * u**3).square().sum()
        return torch.autograd.grad(loss, list(model.parameters()))

    found = model.derivatives(points, second)
    ours = gradients(found.value, found.first, found.second)
    for own, other in zip(ours, gradients(*expected(model, points, second)), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-10, atol=1e-10)


def test_the_value_is_that_of_the_plain_network_after_a_second_pass_too():
    model, points = field(), torch.randn(4, 3, dtype=torch.float64)
    found = model.derivatives(points, (0,))
    loss = found.second.square().sum()
    torch.testing.assert_close(found.value, model(points), rtol=1e-12, atol=1e-12)
    hidden = list(model.hidden.parameters())
    first = torch.autograd.grad(loss, hidden, retain_graph=True)
    again = torch.autograd.grad(loss, hidden)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_w_is_the_last_hidden_layer():
    model = field()
    assert last_hidden(model) is model.hidden[-1]
    plain = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    assert last_hidden(plain) is plain[2]
    with pytest.raises(ValueError, match=r"at least two layers .* Found 1\. Give it an attribute last_shared_layer"):
        last_hidden(nn.Linear(2, 2))
