"""A balance as plain numbers."""

from __future__ import annotations

import math

import torch

from gradnorm.methods.base import Balance


def test_numbers_are_the_fields_as_plain_numbers():
    vectors = torch.tensor([[1.5, 0.5], [2.0, math.nan], [1.0, 0.25], [1.6, 0.4], [3.0, 1.0]])
    balance = Balance(*vectors, imbalance=torch.tensor(0.1, dtype=torch.float64))
    numbers = balance.numbers()
    assert numbers["weights"] == (1.5, 0.5)
    assert numbers["losses"][0] == 2
    assert math.isnan(numbers["losses"][1])
    assert (numbers["loss_ratios"], numbers["gradient_norms"]) == ((1.0, 0.25), (3.0, 1.0))
    assert numbers["targets"] is None
    # Of double precision beside single: not rounded.
    assert numbers["imbalance"] == 0.1


def test_numbers_take_one_transfer_however_much_was_measured(monkeypatch):
    calls = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: calls.append(self.shape) or tolist(self))
    Balance(*torch.ones(6, 3), imbalance=torch.tensor(2.0)).numbers()
    assert calls == [(1, 19)]
