"""GradNorm in a Trainer of Hugging Face Transformers, with the gradients of two batches accumulated for each step.

Start it with `python examples/trainer_loop.py`, or `torchrun --nproc-per-node 2 examples/trainer_loop.py`. STEPS sets
the length.
"""

import os
import tempfile
from contextlib import nullcontext

from transformers import Trainer, TrainingArguments
from two_tasks import Net, loader

from gradnorm import GradNorm, Recorder


class BalancedTrainer(Trainer):
    """For a model that returns the output of its shared layer, and its losses."""

    def training_step(self, model, inputs, num_items_in_batch=None):
        """Run a joint backward pass in place of that of one loss."""
        with self.compute_loss_context_manager():
            features, losses = model.train()(**self._prepare_inputs(inputs))
        batches, last = self.current_gradient_accumulation_steps, self.accelerator.sync_gradients
        way = {"via": lambda loss: self.accelerator.backward(loss / batches), "last": last}
        balance = balancer.backward(losses, shared=net.shared, features=features, **way)
        if recorder and last:
            recorder.log(balance, alpha=0.12)
        return balance.weights @ balance.losses / batches


balancer = GradNorm(tasks=["depth", "normals"], alpha=0.12)
net, steps = Net(), int(os.environ.get("STEPS", "200"))
sizes = {"max_steps": steps, "per_device_train_batch_size": 16, "gradient_accumulation_steps": 2}
arguments = TrainingArguments(tempfile.mkdtemp(), use_cpu=True, report_to="none", save_strategy="no", **sizes)
trainer = BalancedTrainer(net, arguments, train_dataset=[{"x": row} for row in loader(steps).dataset])
with Recorder("Trainer", balancer.names, steps=steps) if trainer.is_world_process_zero() else nullcontext() as recorder:
    trainer.train()
