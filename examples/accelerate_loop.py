"""GradNorm in a loop of Hugging Face Accelerate, with gradients of two batches accumulated for each step.

Start it with `python examples/accelerate_loop.py`, or with `torchrun --nproc-per-node 2 examples/accelerate_loop.py`.
STEPS sets the length.
"""

import os
from contextlib import nullcontext

import torch
from accelerate import Accelerator
from two_tasks import Net, loader

from gradnorm import GradNorm, Recorder

accelerator = Accelerator(cpu=not torch.cuda.is_available(), gradient_accumulation_steps=2)
torch.manual_seed(accelerator.process_index)
net, steps = Net(), int(os.environ.get("STEPS", "200"))
model, optimizer = accelerator.prepare(net, torch.optim.SGD(net.parameters(), lr=0.05))
balancer = GradNorm(tasks=["depth", "normals"], alpha=0.12)
watched = accelerator.is_main_process
with Recorder("Accelerate", tasks=balancer.names, steps=steps) if watched else nullcontext() as recorder:
    for x in loader(2 * steps):
        with accelerator.accumulate(model):
            optimizer.zero_grad()
            features, losses = model(x.to(accelerator.device))
            places = {"shared": net.shared, "features": features}
            balance = balancer.backward(losses, **places, via=accelerator.backward, last=accelerator.sync_gradients)
            optimizer.step()
        if recorder and accelerator.sync_gradients:
            recorder.log(balance, alpha=0.12)
