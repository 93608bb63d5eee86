"""GradNorm in a Lightning module that optimises by hand. STEPS sets the length.

Start it with `python examples/lightning_loop.py`, or `torchrun --nproc-per-node 2 examples/lightning_loop.py`.
"""

import os
from contextlib import nullcontext

import torch
from lightning import LightningModule, Trainer
from two_tasks import Net, loader

from gradnorm import GradNorm, Recorder


class Balanced(LightningModule, Net):
    """Lightning's hooks on a network that returns the output of its shared layer, and its losses."""

    def training_step(self, x):
        """Take one step by hand."""
        self.optimizers().zero_grad()
        features, losses = self(x)
        balance = balancer.backward(losses, shared=self.shared, features=features, via=self.manual_backward)
        self.optimizers().step()
        if recorder:
            recorder.log(balance, alpha=0.12)

    def configure_optimizers(self):
        """Choose the optimizer."""
        return torch.optim.SGD(self.parameters(), lr=0.05)


balancer, net = GradNorm(tasks=["depth", "normals"], alpha=0.12), Balanced()
net.automatic_optimization = False
steps, processes = (int(os.environ.get(name, default)) for name, default in (("STEPS", 200), ("WORLD_SIZE", 1)))
trainer = Trainer(accelerator="cpu", devices=processes, max_steps=steps, logger=False, enable_checkpointing=False)
with Recorder("Lightning", balancer.names, steps=steps) if trainer.is_global_zero else nullcontext() as recorder:
    trainer.fit(net, loader(steps))
