"""Two gloo processes train one small network; each has half of every batch. Run by `test_ranks.py`."""

import os
import sys

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from gradnorm import Balancer, NonFiniteLossError
from gradnorm.methods.dwa import DynamicWeightAverage
from gradnorm.methods.gradnorm import GradNormMethod

STEPS, ROWS = 4, 8
CLOSED = GradNormMethod(update="closed", heads="own", every=2, priorities=(1, 3), half_life=2.0)
# The method, and whether it is given the features.
WAYS = {
    "one pass": ("gradnorm", True),
    "separate passes": ("gradnorm", False),
    "losses": ("dwa", False),
    "surgery": ("mgda", False),
    "own heads": (CLOSED, True),
    "own heads, separate passes": (CLOSED, False),
    "losses, own heads": (DynamicWeightAverage(heads="own"), True),
}
# DistributedDataParallel waits for the head's parameters, which surgery leaves alone.
ABSENT = ("one pass", "separate passes", "losses", "own heads", "losses, own heads")


class Net(nn.Module):
    def __init__(self, normalized=False):
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.shared = nn.Linear(3, 4), nn.Linear(4, 5)
        self.norm = nn.LayerNorm(5) if normalized else nn.Identity()
        self.heads = nn.ModuleList(nn.Linear(5, 2) for _ in range(2))
        self.double()

    def forward(self, x):
        z = self.shared(self.trunk(x).tanh())
        top = self.norm(z)
        return [z, *(head(top.relu()) for head in self.heads)]


def batch(step):
    return torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(step), dtype=torch.float64)


def train(wrapped, net, way, rows, change=lambda losses: losses, **options):
    """Take some steps on some rows of each batch; return each step's weights, losses and gradients."""
    method, with_features = WAYS[way]
    balancer = Balancer(2, method, **options)
    optimizer = torch.optim.SGD(wrapped.parameters(), lr=1e-3)
    found = []
    for step in range(STEPS):
        optimizer.zero_grad()
        z, *outputs = wrapped(batch(step)[rows])
        losses = change([100.0**i * (y - 1).square().mean() for i, y in enumerate(outputs)])
        trunk = [*net.trunk.parameters(), *net.shared.parameters(), *net.norm.parameters()]
        balance = balancer.backward(losses, shared=net.shared, features=z if with_features else None, trunk=trunk)
        gradients = [whole(p.grad) for p in net.parameters() if p.grad is not None]
        found.append({"weights": balancer.weights, "losses": balance.losses, "gradients": gradients})
        optimizer.step()
    return found


def whole(grad):
    return (grad.full_tensor() if hasattr(grad, "full_tensor") else grad).clone()


def sharded(net):
    mesh = init_device_mesh("cpu", (2,))
    for layer in (net.trunk, net.shared, *net.heads):
        fully_shard(layer, mesh=mesh)
    return fully_shard(net, mesh=mesh)


KINDS = {
    "plain": DistributedDataParallel,
    "static": lambda net: DistributedDataParallel(net, static_graph=True),
    "unused": lambda net: DistributedDataParallel(net, find_unused_parameters=True),
    "sharded": sharded,
}


def main(rank, port, path):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    rows = slice(rank * ROWS // 2, (rank + 1) * ROWS // 2)

    def attempt(kind, way, normalized=False, **options):
        net = Net(normalized)
        try:
            return train(KINDS[kind](net), net, way, rows, **options)
        except ValueError as error:
            return error

    found = {(kind, way, flag): attempt(kind, way, flag) for kind in KINDS for way in WAYS for flag in (False, True)}
    for way in ABSENT:
        found["absent", way] = attempt("unused", way, change=lambda losses: [losses[0], losses[1] if rank else None])
    groups = [distributed.new_group([other]) for other in range(2)]
    found["apart"] = attempt("plain", "one pass", group=groups[rank])
    found["diverged"] = attempt("plain", "one pass", change=lambda losses: [losses[0] / rank, losses[1]])
    assert isinstance(found["diverged"], NonFiniteLossError)
    torch.save({key: str(value) if isinstance(value, Exception) else value for key, value in found.items()}, path)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
