"""α and the learning rate as sliders in the dashboard, which can also pause the script and stop it.

Start it with `python examples/live_knobs.py`, and open `gradnorm dashboard` beside it. STEPS sets the length.
"""

import os
import time

import torch
from torch import nn

from gradnorm import GradNorm, Knob, Recorder

torch.manual_seed(0)
shared, heads = nn.Linear(8, 16), nn.ModuleList([nn.Linear(16, 1), nn.Linear(16, 3)])
optimizer = torch.optim.SGD([*shared.parameters(), *heads.parameters()], lr=0.05)
balancer = GradNorm(tasks=["depth", "normals"], alpha=0.12)
steps = int(os.environ.get("STEPS", "5000"))
with Recorder("live knobs", tasks=balancer.names, steps=steps) as recorder:
    while recorder.step < steps and not recorder.stopped:
        now = recorder.knobs(alpha=Knob(0.12, 0, 3), learning_rate=0.05)
        balancer.retune(alpha=now.alpha)
        optimizer.param_groups[0]["lr"] = now.learning_rate
        x = torch.randn(32, 8)
        hidden = shared(x).relu()
        targets = x[:, :1].tanh(), 10 * x[:, 1:4]
        optimizer.zero_grad()
        losses = [nn.functional.mse_loss(head(hidden), target) for head, target in zip(heads, targets, strict=True)]
        balance = balancer.backward(losses, shared=shared)
        optimizer.step()
        recorder.log(balance, alpha=now.alpha)
        time.sleep(0.02)  # slow enough to be watched
