"""Two gloo processes train one small network; each has half of every batch. Run by `test_ranks.py`."""

import os
import sys

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from gradnorm import Balancer, GradNorm

STEPS, ROWS = 4, 8
# How the library goes about a step, by name: the method and whether it is given the features.
WAYS = {"one pass": ("gradnorm", True), "separate passes": ("gradnorm", False), "losses": ("dwa", False)}
SURGERY = {"surgery": ("mgda", False)}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.shared = nn.Linear(3, 4), nn.Linear(4, 5)
        self.heads = nn.ModuleList(nn.Linear(5, 2) for _ in range(2))
        self.double()

    def forward(self, x):
        z = self.shared(self.trunk(x).tanh())
        return [z, *(head(z.relu()) for head in self.heads)]


def batch(step):
    return torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(step), dtype=torch.float64)


def train(wrapped, net, method, with_features, rows, absent=None, **options):
    """Take some steps on some rows of each batch; return each step's weights, norms and gradients."""
    balancer = GradNorm(2) if method == "gradnorm" else Balancer(2, method, **options)
    optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.1)
    found = []
    for step in range(STEPS):
        optimizer.zero_grad()
        z, *outputs = wrapped(batch(step)[rows])
        losses = [100.0**i * (y - 1).square().mean() for i, y in enumerate(outputs)]
        if absent is not None:
            losses[absent] = losses[absent] * 0 if absent < 0 else None
        trunk = [*net.trunk.parameters(), *net.shared.parameters()]
        balance = balancer.backward(losses, shared=net.shared, features=z if with_features else None, trunk=trunk)
        gradients = [full(p.grad) for p in net.parameters() if p.grad is not None]
        found.append({"weights": balancer.weights, "losses": balance.losses, "gradients": gradients})
        optimizer.step()
    return found


def full(grad):
    return (grad.full_tensor() if hasattr(grad, "full_tensor") else grad).clone()


def attempt(function):
    try:
        return function()
    except ValueError as error:
        return str(error)


def main(rank, port, path):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    rows = slice(rank * ROWS // 2, (rank + 1) * ROWS // 2)
    found = {}
    for name, options in {
        "plain": {},
        "static": {"static_graph": True},
        "unused": {"find_unused_parameters": True},
    }.items():
        for way, (method, with_features) in {**WAYS, **SURGERY}.items():
            net = Net()
            wrapped = DistributedDataParallel(net, **options)
            found[name, way] = attempt(lambda: train(wrapped, net, method, with_features, rows))  # noqa: B023
    torch.save(found, f"{path}/{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
