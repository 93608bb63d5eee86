"""The text of a script that repeats a run; `gradnorm.export.script` fills it in."""

from __future__ import annotations

SCRIPT = '''"""Repeats run $run ($title): its first $counted steps.

    python FILE.py [RESULT.json]

prints the loss weights and the losses of the last step, and writes them to a file if one is given.
$notes"""

import json
${math}${os}import sys
from pathlib import Path

import torch

$imports
$roots
STEPS, BATCH = $steps, $batch
${constants}$changes

def learning_rate(step):
    """Return the network's learning rate at step t, from 1."""
    $schedule


def batches(data):
    """Yield the batch of each step. They are made $block at a time, as in the run: it matters to their rounding."""
    for first in range(1, STEPS + 1, $block):
        yield from data.block(first, $block, BATCH)[: STEPS + 1 - first]


$train

def main():
    """Train, print what came of it, and write it to the file that the command line names."""
    names, balance = train()
    result = {"tasks": names, "weights": balance.weights.tolist(), "losses": balance.losses.tolist()}
    for name, weight, loss in zip(*result.values()):
        print(f"{name}: weight {weight:.6g}, loss {loss:.6g}")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
'''

WRITTEN_OUT = '''def train():
    """Take all steps; return the tasks' names and what the method decided at the last one."""
$threads    data = $dataset.load($seed)
    model = $network$to_device
    stack = Stack([model], BATCH)  # the network's parameters are views of stack.parameters from here on
    criterion = Criterion(data.tasks, BATCH, stack.parameters)
    method = $method
    state = method.start(torch.ones(len(data.tasks)$on_device), [task.kind for task in data.tasks])
$moments    for step, batch in enumerate(batches(data), 1):
$first        outputs = stack.forward(batch.inputs[None])
        losses = criterion.losses(outputs, criterion.pack(batch.targets))
$decide$shrink$move    return [task.name for task in data.tasks], balance
'''

BY_AUTOGRAD = '''def train():
    """Take all steps; return the tasks' names and what the method decided at the last one."""
$threads    data = $dataset.load($seed)
    model = $network$to_device
    trunk = [*model.trunk.parameters(), *model.last_shared_layer.parameters()]
    method = $method
    names = [task.name for task in data.tasks]
    balancer = Balancer(names, method, kinds=[task.kind for task in data.tasks], watch_norms=$watch, seed=$seed)
    $optimizer
    for step, batch in enumerate(batches(data), 1):
$first        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        features = model.shared(batch.inputs)
        losses = task_losses(model.predict(features), batch.targets, data.tasks)
        pairs = zip(losses, batch.targets, data.tasks)  # a later batch may tell nothing of a task
        losses = [loss if step == 1 or known(target, task) else None for loss, target, task in pairs]
        balance = balancer.backward(losses, shared=model.last_shared_layer, features=features, trunk=trunk)
$shrink        optimizer.step()
    return names, balance
'''

IMPORTS = {
    True: [
        "from gradnorm.methods.base import Signal",
        "from gradnorm.training.batched.criterion import Criterion",
        "from gradnorm.training.batched.stack import Stack",
    ],
    False: [
        "from gradnorm import Balancer",
        "from gradnorm.metrics import known, task_losses",
    ],
}

# Methods that need losses alone choose this step's weights from them; the others decide for the next step.
DECIDE = {
    "losses": """balance, state = method.balance(state, Signal(losses[0], step=step, complete=True, seed=$seed))
w = balance.weights[None]
$passes""",
    "norms": """w = state.weights[None]
$passes# G holds the norms of the weighted losses' gradients at the shared layer.
norms = None if G is None else G[0] / state.weights
balance, state = method.balance(state, Signal(losses[0], norms, step=step, complete=True, seed=$seed))
""",
}
PASSES = {
    "weighted": "G = stack.backward(criterion.output_gradients(w), decay=$decay, measure=$measure)\n",
    # The weights apply where a task's gradient leaves its head.
    "own": "G = stack.backward(criterion.output_gradients(torch.ones_like(w)), w, decay=$decay, measure=$measure)\n",
}

OPTIMIZERS = {
    "sgd": "optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate(1), momentum=0.9)",
    "adam": "optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate(1))",
}
CONSTANTS = {"sgd": "MOMENTUM = 0.9\n", "adam": "BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # of Adam\n"}
MOMENTS = {
    "sgd": "",
    "adam": "    mean, square = torch.zeros_like(stack.parameters), torch.zeros_like(stack.parameters)\n",
}
# Weight decay, apart from the gradients, as in AdamW.
SHRINK = {
    True: "stack.parameters.mul_(1 - learning_rate(step) * {decay})\n",
    False: "for parameter in model.parameters():\n    parameter.data.mul_(1 - learning_rate(step) * {decay})\n",
}
MOVE = {
    "sgd": """# SGD: the gradients, kept with decay 0.9, are the velocity.
stack.parameters.add_(stack.gradients, alpha=-learning_rate(step))
""",
    "adam": """mean.lerp_(stack.gradients, 1 - BETA1)
square.mul_(BETA2).addcmul_(stack.gradients, stack.gradients, value=1 - BETA2)
by = mean / (square.sqrt().div_((1 - BETA2**step) ** 0.5).add_(EPS))
stack.parameters.add_(by, alpha=-(learning_rate(step) / (1 - BETA1**step)))
""",
}
