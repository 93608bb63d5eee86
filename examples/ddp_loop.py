"""GradNorm under DistributedDataParallel: each process has its part of every batch, and all have the same weights.

Start it with `torchrun --nproc-per-node 2 examples/ddp_loop.py`. STEPS sets the length.
"""

import os
from contextlib import nullcontext

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from two_tasks import Net, loader

from gradnorm import GradNorm, Recorder

distributed.init_process_group("gloo")
torch.manual_seed(distributed.get_rank())
net, steps = Net(), int(os.environ.get("STEPS", "200"))
model = DistributedDataParallel(net)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
balancer = GradNorm(tasks=["depth", "normals"], alpha=0.12)
watched = distributed.get_rank() == 0
with Recorder("DDP", tasks=balancer.names, steps=steps) if watched else nullcontext() as recorder:
    for x in loader(steps):
        optimizer.zero_grad()
        features, losses = model(x)
        balance = balancer.backward(losses, shared=net.shared, features=features)
        optimizer.step()
        if recorder:
            recorder.log(balance, alpha=0.12)
distributed.destroy_process_group()
