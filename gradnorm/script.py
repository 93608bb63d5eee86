"""A run as a Python script that repeats it with torch and the library alone: no engine, no store."""

from __future__ import annotations

import json
import textwrap
from string import Template
from typing import Any

import numpy as np
from pydantic import BaseModel

from gradnorm.balancing.base import Needs
from gradnorm.options import live_keys
from gradnorm.records import RunInfo
from gradnorm.spec import RunSpec
from gradnorm.store import RunStore

# Steps held in memory at once.
SLICE = 32_768
_WIDE = 120


class NoScriptError(ValueError):
    """The run cannot be written as a script; the message says why and what to do."""


def script(store: RunStore, run: str) -> str:
    """Return the source of a script that takes the run's steps once more, and prints the weights of the last one.

    On the machine of the run its numbers are the run's own, to the last bit, unless the run was trained in a race as
    one program with others. What was changed in mid-run is repeated for α, which the records hold.
    Raises NoScriptError for a run without steps, a fork, and one that a script has recorded; SpecError for a spec of
    other days; UnknownRunError.
    """
    info = store.info(run)
    _check(info)
    spec = RunSpec.parse(info.spec)
    parts = _parts(info, spec, _alphas(store, info, spec))
    return Template(_SCRIPT).substitute(parts)


def _check(info: RunInfo) -> None:
    wanted = "A run that becomes a script should be one that gradnorm has trained from its start."
    if info.recorded:
        raise NoScriptError(f"{wanted} Found one that a script recorded. Run that script again.")
    if info.forked_at:
        raise NoScriptError(f"{wanted} Found a fork of {info.parent} at step {info.forked_at:,}. Export that run.")
    if not info.steps:
        raise NoScriptError(f"{wanted} Found one without steps. Let it run first.")


def _alphas(store: RunStore, info: RunInfo, spec: RunSpec) -> dict[int, float]:
    """Return from which step on which α was used; empty where there is none."""
    start = getattr(spec.method, "alpha", None)
    found: dict[int, float] = {}
    if start is None:
        return found
    last = np.float32(np.nan)
    for since in range(0, info.steps, SLICE):
        snapshot = store.read(info.run, since, min(since + SLICE, info.steps))
        for step, alpha in zip(snapshot.scalar("step"), snapshot.scalar("alpha"), strict=True):
            if alpha != last:
                # Records are single precision; the shortest decimal is what was asked for.
                found[int(step)] = start if alpha == np.float32(start) else float(str(alpha))
                last = alpha
    return found


def _parts(info: RunInfo, spec: RunSpec, alphas: dict[int, float]) -> dict[str, Any]:
    from gradnorm.training.ahead import block_of
    from gradnorm.training.group import fits
    from gradnorm.training.run import Run

    run = Run.build(spec.model_copy(update={"device": "cpu"}))
    together = fits(run)
    norms = spec.watch_norms or spec.method.needs is Needs.NORMS
    numbers = run.source.shape[0] + sum(task.outputs for task in run.source.tasks) if together else 0
    changes = {step: alpha for step, alpha in alphas.items() if step > 1}
    gpu = info.device is not None and not info.device.startswith("cpu")
    network, network_import = _network(run.model, spec)
    names = {
        "run": info.run,
        "title": spec.title,
        "steps": info.steps,
        "counted": f"{info.steps:,}",
        "batch": spec.batch_size,
        "to_device": '.to("cuda")' if gpu else "",
        "on_device": ', device="cuda"' if gpu else "",
        "threads": f"    torch.set_num_threads({spec.threads})\n" if spec.threads else "",
        "block": block_of(4 * numbers * spec.batch_size) if together else 1,
        "schedule": _schedule(spec),
        "dataset": _call(spec.dataset),
        "seed": spec.seed,
        "network": network,
        "method": _call(spec.method.model_copy(update={"alpha": alphas[1]} if alphas else {})),
        "watch": spec.watch_norms,
        "changes": f"\n# From which step on α was moved, and where to.\nALPHAS = {changes}" if changes else "",
    }
    body = _WRITTEN_OUT if together else _BY_AUTOGRAD
    kind = ("adam" if spec.optimizer == "adam" else "sgd", "losses" if spec.method.needs is Needs.LOSSES else "norms")
    names |= _body(together, kind, norms, bool(changes), gpu)
    imports = [_import(spec.dataset), _import(spec.method), network_import, *_IMPORTS[together]]
    imports += ["from gradnorm.datasets.base import Batch"] if gpu else []
    return names | {
        "math": "import math\n" if "math." in names["schedule"] else "",
        "imports": "\n".join(sorted(imports)),
        "notes": _notes(info, spec, together),
        "train": Template(body).substitute(names),
    }


def _body(together: bool, kind: tuple[str, str], norms: bool, retuned: bool, gpu: bool) -> dict[str, str]:
    """Return the lines of the loop that differ from run to run."""
    optimizer, needs = kind
    retune = 'method.model_copy(update={"alpha": ALPHAS[step]})' if together else "balancer.retune(alpha=ALPHAS[step])"
    steps = [f"if step in ALPHAS:\n    {'method = ' if together else ''}{retune}"] if retuned else []
    if gpu:
        steps.append('batch = Batch(batch.inputs.to("cuda"), tuple(target.to("cuda") for target in batch.targets))')
    decide = Template(_DECIDE[needs]).substitute(
        decay="0.0" if optimizer == "adam" else "MOMENTUM",
        measure=norms,
    )
    return {
        "first": textwrap.indent("".join(f"{step}\n" for step in steps), " " * 8),
        "decide": textwrap.indent(decide, " " * 8),
        "moments": _MOMENTS[optimizer],
        "move": textwrap.indent(_MOVE[optimizer], " " * 8),
        "optimizer": _OPTIMIZERS[optimizer],
        "constants": _CONSTANTS[optimizer] if together else "",
    }


def _notes(info: RunInfo, spec: RunSpec, together: bool) -> str:
    """Return what the reader should know, as paragraphs."""
    found: list[str] = []
    if together:
        found.append(
            "Both passes through the network are written out (gradnorm.models.stack) as they were in the run, so that the "
            "numbers are the run's own. With autograd the body of the loop would be `balancer.backward(losses, "
            "shared=model.last_shared_layer)`, as in gradnorm's README: the same but for rounding, which grows with the "
            "steps."
        )
    if together and info.race:
        found.append(
            "The run went in step with others, as one program, whose products are rounded in another order: its weights "
            "are these but for what such differences have grown to."
        )
    if others := [key for key in live_keys(spec) if key != "alpha"]:
        found.append(f"Had {' or '.join(others)} been changed in mid-run, the records would not say so; α they hold.")
    return "".join(f"\n{textwrap.fill(text, _WIDE, break_on_hyphens=False)}\n" for text in found)


def _network(model: Any, spec: RunSpec) -> tuple[str, str]:
    """Return how the network is made, and the import for it."""
    if type(model).__name__ != "MLP":
        flat = textwrap.fill(json.dumps(spec.to_json()), 10**6)
        return f"build(RunSpec.from_json({flat}), data)", (
            "from gradnorm.models.build import build\nfrom gradnorm.spec import RunSpec"
        )
    options = f'width={spec.width}, depth={spec.depth}, initialization="{spec.initialization}", seed={spec.seed}'
    return f"MLP(data.shape[0], data.tasks, {options})", "from gradnorm.models.mlp import MLP"


def _schedule(spec: RunSpec) -> str:
    flat = spec.flat()
    rate = repr(spec.learning_rate)
    if spec.schedule == "constant":
        return f"return {rate}"
    if spec.schedule == "cosine":
        return f"return {rate} * 0.5 * (1 + math.cos(math.pi * (step - 1) / {spec.steps}))"
    return f"return {rate} * {flat['decay']!r} ** ((step - 1) // {flat['decay_every']})"


def _import(made: BaseModel) -> str:
    return f"from {type(made).__module__} import {type(made).__name__}"


def _call(made: BaseModel) -> str:
    """Return the expression that makes a data set or a method anew, with all its options."""
    options = [f"{key}={_literal(getattr(made, key))}" for key in type(made).model_fields]
    line = f"{type(made).__name__}({', '.join(options)})"
    if len(line) < _WIDE - 20:
        return line
    return f"{type(made).__name__}(\n" + "".join(f"        {option},\n" for option in options) + "    )"


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


_SCRIPT = '''"""Repeats run $run ($title): its first $counted steps.

    python FILE.py [RESULT.json]

prints the loss weights and the losses of the last step, and writes them to a file if one is given.
$notes"""

import json
${math}import sys
from pathlib import Path

import torch

$imports

STEPS, BATCH = $steps, $batch
${constants}$changes

def learning_rate(step):
    """Return the network's learning rate at step t, from 1."""
    $schedule


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

_WRITTEN_OUT = '''def batches(data):
    """Yield the batch of each step. They are made $block at a time, as in the run: it matters to their rounding."""
    for first in range(1, STEPS + 1, $block):
        yield from data.block(first, $block, BATCH)[: STEPS + 1 - first]


def train():
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
$decide$move    return [task.name for task in data.tasks], balance
'''

_BY_AUTOGRAD = '''def train():
    """Take all steps; return the tasks' names and what the method decided at the last one."""
$threads    data = $dataset.load($seed)
    model = $network$to_device
    trunk = [*model.trunk.parameters(), *model.last_shared_layer.parameters()]
    method = $method
    names = [task.name for task in data.tasks]
    balancer = Balancer(names, method, kinds=[task.kind for task in data.tasks], watch_norms=$watch)
    $optimizer
    for step in range(1, STEPS + 1):
        (batch,) = data.block(step, 1, BATCH)
$first        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        features = model.shared(batch.inputs)
        losses = task_losses(model.predict(features), batch.targets, data.tasks)
        balance = balancer.backward(losses, shared=model.last_shared_layer, features=features, trunk=trunk)
        optimizer.step()
    return names, balance
'''

_IMPORTS = {
    True: [
        "from gradnorm.balancing.base import Signal",
        "from gradnorm.models.criterion import Criterion",
        "from gradnorm.models.stack import Stack",
    ],
    False: [
        "from gradnorm import Balancer",
        "from gradnorm.metrics import task_losses",
    ],
}

# Methods that need losses alone choose this step's weights from them; the others decide for the next step.
_DECIDE = {
    "losses": """balance, state = method.balance(state, Signal(losses[0], step=step, complete=True))
stack.backward(criterion.slopes(balance.weights[None]), decay=$decay, measure=$measure)
""",
    "norms": """slopes = criterion.slopes(state.weights[None])  # of the weighted losses, by the heads' outputs
(G,) = stack.backward(slopes, decay=$decay, measure=$measure)  # their gradients' norms at the shared layer
signal = Signal(losses[0], G / state.weights, step=step, complete=True)
balance, state = method.balance(state, signal)
""",
}

_OPTIMIZERS = {
    "sgd": "optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate(1), momentum=0.9)",
    "adam": "optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate(1))",
}
_CONSTANTS = {"sgd": "MOMENTUM = 0.9\n", "adam": "BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # of Adam\n"}
_MOMENTS = {
    "sgd": "",
    "adam": "    mean, square = torch.zeros_like(stack.parameters), torch.zeros_like(stack.parameters)\n",
}
_MOVE = {
    "sgd": """# SGD: the gradients, kept with decay 0.9, are the velocity.
stack.parameters.add_(stack.gradients, alpha=-learning_rate(step))
""",
    "adam": """mean.lerp_(stack.gradients, 1 - BETA1)
square.mul_(BETA2).addcmul_(stack.gradients, stack.gradients, value=1 - BETA2)
by = mean / (square.sqrt().div_((1 - BETA2**step) ** 0.5).add_(EPS))
stack.parameters.add_(by, alpha=-(learning_rate(step) / (1 - BETA1**step)))
""",
}
