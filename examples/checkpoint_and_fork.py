"""A script whose checkpoints the dashboard asks for, and which goes on from one: `… checkpoint_and_fork.py RUN STEP`.

Start it with `python examples/checkpoint_and_fork.py`. STEPS sets the length.
"""

import io
import os
import sys

import torch
from torch import nn

from gradnorm import Recorder

torch.manual_seed(0)
network = nn.Linear(4, 2)
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)


def state() -> bytes:
    """Return all that training goes on from."""
    file = io.BytesIO()
    torch.save([network.state_dict(), optimizer.state_dict()], file)
    return file.getvalue()


fork = (sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 2 else None
steps = int(os.environ.get("STEPS", "20000"))
with Recorder("checkpoints", tasks=["sum", "product"], steps=steps, checkpoint=state, fork=fork) as recorder:
    if recorder.restored is not None:
        for part, saved in zip((network, optimizer), torch.load(io.BytesIO(recorder.restored)), strict=True):
            part.load_state_dict(saved)
    while recorder.step < steps and not recorder.stopped:
        x = torch.rand(16, 4)
        losses = (network(x) - torch.stack([x.sum(1), x.prod(1)], 1)).square().mean(0)
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
        recorder.log(losses=losses)
