"""GradNorm under FSDP2: each process holds a part of every parameter and of every batch, and all have the same weights.

Start it with `torchrun --nproc-per-node 2 examples/fsdp2_loop.py`. STEPS sets the length.
"""

import os
from contextlib import nullcontext

import torch
from torch import distributed
from torch.distributed.fsdp import fully_shard
from two_tasks import Net, loader

from gradnorm import GradNorm, Recorder

distributed.init_process_group("gloo")
torch.manual_seed(0)  # the same network everywhere, of which each process keeps its part
net, steps = Net(), int(os.environ.get("STEPS", "200"))
for module in (net.shared, *net.heads, net):
    fully_shard(module)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
balancer = GradNorm(tasks=["depth", "normals"], alpha=0.12)
torch.manual_seed(distributed.get_rank())
watched = distributed.get_rank() == 0
with Recorder("FSDP2", tasks=balancer.names, steps=steps) if watched else nullcontext() as recorder:
    for x in loader(steps):
        optimizer.zero_grad()
        features, losses = net(x)
        balance = balancer.backward(losses, shared=net.shared, features=features)
        optimizer.step()
        if recorder:
            recorder.log(balance, alpha=0.12)
distributed.destroy_process_group()
