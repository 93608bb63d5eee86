"""GradNorm in a plain PyTorch loop, watched in the dashboard.

Start it with `python examples/plain_loop.py`, and open `gradnorm dashboard` beside it. STEPS sets the length.
"""

import os

import torch
from torch import nn

from gradnorm import GradNorm, Recorder

torch.manual_seed(0)
shared, heads = nn.Linear(8, 16), nn.ModuleList([nn.Linear(16, 1), nn.Linear(16, 3)])
optimizer = torch.optim.SGD([*shared.parameters(), *heads.parameters()], lr=0.05)
balancer = GradNorm(tasks=["depth", "normals"], alpha=0.12)


def losses() -> list[torch.Tensor]:
    """Return the losses of both tasks on a batch."""
    x = torch.randn(32, 8)
    hidden = shared(x).relu()
    targets = x[:, :1].tanh(), 10 * x[:, 1:4]
    return [nn.functional.mse_loss(head(hidden), target) for head, target in zip(heads, targets, strict=True)]


steps = int(os.environ.get("STEPS", "200"))
with Recorder("plain loop", tasks=balancer.names, steps=steps) as recorder:
    for _ in range(steps):
        optimizer.zero_grad()
        balance = balancer.backward(losses(), shared=shared)
        optimizer.step()
        recorder.log(balance, alpha=0.12)
