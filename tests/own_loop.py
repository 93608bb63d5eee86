"""A training loop as anybody may have one; ten lines of it are for GradNorm and the dashboard."""

import os
import time

import torch
from torch import nn

from gradnorm import GradNorm, Recorder

torch.manual_seed(0)
shared = nn.Linear(8, 16)
heads = nn.ModuleList([nn.Linear(16, 1), nn.Linear(16, 3)])
optimizer = torch.optim.SGD([*shared.parameters(), *heads.parameters()], lr=0.05)
STEPS, PAUSE = int(os.environ.get("OWN_STEPS", "60")), float(os.environ.get("OWN_PAUSE", "0"))


def losses_of(examples: int) -> list[torch.Tensor]:
    x = torch.randn(examples, 8)
    hidden = shared(x).relu()
    targets = x[:, :1].tanh(), 10 * x[:, 1:4]
    return [nn.functional.mse_loss(head(hidden), y) for head, y in zip(heads, targets, strict=True)]


balancer = GradNorm(tasks=["depth", "normals"], alpha=0.12)
with Recorder("my network", tasks=balancer.names, steps=STEPS) as recorder:
    for step in range(STEPS + 1):
        if step % 20 == 0:
            with torch.no_grad():
                test = losses_of(200)
            recorder.evaluate(test, metrics=[{"rmse": test[0].sqrt()}, {"rmse": test[1].sqrt(), "within_11": 0.5}])
        if step == STEPS:
            break
        optimizer.zero_grad()
        balance = balancer.backward(losses_of(32), shared=shared)
        recorder.log(balance, alpha=0.12)
        optimizer.step()
        time.sleep(PAUSE)
