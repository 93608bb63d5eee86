"""Algorithm 1 of Chen et al. (2018) as it is printed: a second backward pass through the norms, and no tricks.

It lives here to be compared with; it shares no code with the package.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NaiveGradNorm:
    """w is a parameter, L_grad is differentiated by autograd, torch.optim.Adam moves w."""

    def __init__(self, tasks: int, alpha: float, learning_rate: float = 0.025, update: str = "adam") -> None:
        self.w = nn.Parameter(torch.ones(tasks, dtype=torch.float64))
        self.alpha = alpha
        self.first: Tensor | None = None
        optimizer = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[update]
        self.optimizer = optimizer([self.w], lr=learning_rate)

    def backward(self, losses: list[Tensor], shared: list[Tensor], parameters: list[Tensor]) -> dict[str, Tensor]:
        """Fill `.grad` of `parameters` with ∇ Σ w_i L_i and move w; return what the paper names."""
        L = torch.stack(losses)
        if self.first is None:
            self.first = L.detach()
        used = self.w.detach().clone()
        weighted = [self.w[i] * loss for i, loss in enumerate(losses)]
        G = torch.stack([self._norm(loss, shared) for loss in weighted])
        ratio = (L / self.first).detach()
        rate = ratio / ratio.mean()
        target = (G.mean() * rate**self.alpha).detach()
        L_grad = (G - target).abs().sum()
        (slope,) = torch.autograd.grad(L_grad, [self.w], retain_graph=True)
        total = sum(u * loss for u, loss in zip(used, losses, strict=True))
        for p, g in zip(parameters, torch.autograd.grad(total, parameters, allow_unused=True), strict=True):
            p.grad = g if p.grad is None or g is None else p.grad + g
        self.w.grad = slope
        self.optimizer.step()
        with torch.no_grad():
            self.w.clamp_(min=1e-8)
            self.w *= len(losses) / self.w.sum()
        return {
            "weights": used,
            "gradient_norms": G.detach(),
            "targets": target,
            "loss_ratios": ratio,
            "relative_rates": rate,
            "imbalance": L_grad.detach(),
            "losses": L.detach(),
        }

    @staticmethod
    def _norm(loss: Tensor, shared: list[Tensor]) -> Tensor:
        grads = torch.autograd.grad(loss, shared, retain_graph=True, create_graph=True, allow_unused=True)
        return torch.sqrt(sum((g**2).sum() for g in grads if g is not None))
