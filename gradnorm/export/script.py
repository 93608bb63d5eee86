"""A run as a Python script that repeats it with torch and the library alone: no engine, no store."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

import numpy as np
from pydantic import BaseModel

from gradnorm.config.options import live_keys
from gradnorm.config.spec import RunSpec
from gradnorm.datasets.problems.base import Problem
from gradnorm.datasets.readers.folders import data_root, upload_root
from gradnorm.export.script_template import (
    BY_AUTOGRAD,
    CONSTANTS,
    DECIDE,
    IMPORTS,
    MOMENTS,
    MOVE,
    OPTIMIZERS,
    PASSES,
    SCRIPT,
    SHRINK,
    WRITTEN_OUT,
)
from gradnorm.export.slices import as_it_stands, slices
from gradnorm.methods.base import Needs
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import RunStore

_WIDE = 120


class NoScriptError(ValueError):
    """The run cannot be written as a script; the message says why and what to do."""


def script(store: RunStore, run: str) -> str:
    """Return the source of a script that takes the run's steps once more, and prints the weights of the last one.

    On the machine of the run its numbers are the run's own, to the last bit, unless the run was trained in a race as
    one program with others. What was changed in mid-run is repeated for α, which the records hold.
    Raises NoScriptError for a run without steps, a fork, a problem, and one that a script has recorded; SpecError for
    a spec of other days; UnknownRunError; CutShortError if records are taken back meanwhile.
    """
    info = store.info(run)
    _check(info)
    spec = RunSpec.parse(info.spec)
    if isinstance(spec.dataset, Problem):
        raise NoScriptError(
            "A run that becomes a script should have targets to learn. "
            f"Found the problem {spec.dataset.name}, which computes its own losses. Export its spec instead."
        )
    parts = _parts(info, spec, _changes(store, info, spec))
    return Template(SCRIPT).substitute(parts)


def _check(info: RunInfo) -> None:
    wanted = "A run that becomes a script should be one that gradnorm has trained from its start."
    if info.recorded:
        raise NoScriptError(f"{wanted} Found one that a script recorded. Run that script again.")
    if info.forked_at:
        raise NoScriptError(f"{wanted} Found a fork of {info.parent} at step {info.forked_at:,}. Export that run.")
    if not info.steps:
        raise NoScriptError(f"{wanted} Found one without steps. Let it run first.")


@dataclass(frozen=True)
class _Changes:
    """What was changed in mid-run, by the first step that used it."""

    method: Mapping[int, Mapping[str, Any]]  # hyperparameters of the method, by name
    rate: Mapping[int, float]  # the network's learning rate, as the schedule starts from it


def _changes(store: RunStore, info: RunInfo, spec: RunSpec) -> _Changes:
    """Return the run's live changes: its events, and what its records say of α where there is no event.

    Raises SpecError for an event that this version's options do not allow.
    """
    method: dict[int, dict[str, Any]] = {}
    rate: dict[int, float] = {}
    for step, alpha in _recorded_alphas(store, info, spec).items():
        method[step] = {"alpha": alpha}
    for event in as_it_stands(store, info.run).events:
        if event.step > info.steps:
            continue  # no step has used it yet
        if event.key in type(spec.method).model_fields:
            changed = RunSpec.parse({**spec.flat(), event.key: event.value})
            # As the method holds it: a list of JSON is a tuple there.
            method.setdefault(event.step, {})[event.key] = getattr(changed.method, event.key)
        elif event.key == "learning_rate":
            rate[event.step] = float(event.value)
    return _Changes(dict(sorted(method.items())), rate)


def _recorded_alphas(store: RunStore, info: RunInfo, spec: RunSpec) -> dict[int, float]:
    """Return from which step on which α was used, where it is not the step before's; empty for methods without."""
    start = getattr(spec.method, "alpha", None)
    moved: dict[int, float] = {}
    if start is None:
        return moved
    last = np.float32(start)
    for snapshot in slices(store, info):
        for step, alpha in zip(snapshot.scalar("step"), snapshot.scalar("alpha"), strict=True):
            if alpha != last:
                # Records are single precision; the shortest decimal is what was asked for.
                moved[int(step)] = start if alpha == np.float32(start) else float(str(alpha))
                last = alpha
    return moved


def _parts(info: RunInfo, spec: RunSpec, changes: _Changes) -> dict[str, str]:
    """Return what the templates leave open, by name."""
    from gradnorm.training.batched.group import fits
    from gradnorm.training.run import Run

    run = Run.build(spec.model_copy(update={"device": "cpu"}))
    together = fits(run)
    gpu = info.device is not None and not info.device.startswith("cpu")
    network, network_import = _network(run.model, spec)
    imports = [_import(spec.dataset), _import(spec.method), network_import, *IMPORTS[together]]
    imports += ["from gradnorm.datasets.base import Batch"] if gpu else []
    schedule = _schedule(spec, bool(changes.rate))
    loop = {
        "threads": f"    torch.set_num_threads({spec.threads})\n" if spec.threads else "",
        "block": str(run.block),
        "dataset": _call(spec.dataset),
        "method": _call(spec.method),
        "seed": str(spec.seed),
        "network": network,
        "to_device": '.to("cuda")' if gpu else "",
        "on_device": ', device="cuda"' if gpu else "",
        "watch": str(spec.watch_norms),
        **_lines(spec, together, bool(changes.method), gpu),
    }
    return loop | {
        "run": info.run,
        "title": spec.title,
        "counted": f"{info.steps:,}",
        "steps": str(info.steps),
        "batch": str(spec.batch_size),
        "notes": _notes(info, spec, together),
        "math": "import math\n" if "math." in schedule else "",
        "imports": "\n".join(sorted(imports)),
        "os": "import os\n" if spec.dataset.by_path else "",
        "roots": _roots() if spec.dataset.by_path else "",
        "changes": _tables(spec, changes),
        "schedule": schedule,
        "train": Template(WRITTEN_OUT if together else BY_AUTOGRAD).substitute(loop),
    }


def _tables(spec: RunSpec, changes: _Changes) -> str:
    """Return the lines that say what was changed in mid-run, and at which step."""
    lines: list[str] = []
    if changes.method:
        steps = "".join(f"    {step}: {dict(values)!r},\n" for step, values in changes.method.items())
        lines.append(f"# The method's changes in mid-run, by the first step that used them.\nCHANGES = {{\n{steps}}}\n")
    if changes.rate:
        rates = {1: spec.learning_rate, **changes.rate}
        lines.append(f"# The learning rate that the schedule starts from, by the first step.\nRATES = {rates}\n")
    return "".join(lines)


def _roots() -> str:
    """Return the lines that say where the data lie that the run has read."""
    roots = {"GRADNORM_DATA": data_root(), "GRADNORM_HOME": upload_root().parent}
    lines = [f"os.environ.setdefault({name!r}, {json.dumps(str(path))})\n" for name, path in roots.items()]
    return f"\n# Where the data lie that the run has read.\n{''.join(lines)}"


def _lines(spec: RunSpec, together: bool, retuned: bool, gpu: bool) -> dict[str, str]:
    """Return the lines of the loop that differ from run to run."""
    optimizer, decay = spec.optimizer, spec.weight_decay
    shrink = SHRINK[together].format(decay=decay) if decay else ""
    first: list[str] = []
    if retuned:
        change = "method = method.model_copy(update=CHANGES[step])" if together else "balancer.retune(**CHANGES[step])"
        first.append(f"if step in CHANGES:\n    {change}")
    if gpu:
        first.append('batch = Batch(batch.inputs.to("cuda"), tuple(target.to("cuda") for target in batch.targets))')
    needs_norms = spec.method.needs is Needs.NORMS
    passes = Template(PASSES[spec.method.heads]).substitute(
        decay="0.0" if optimizer == "adam" else "MOMENTUM",
        measure=spec.watch_norms or (needs_norms and "method.due(step)"),
    )
    decide = Template(DECIDE["norms" if needs_norms else "losses"]).substitute(passes=passes, seed=spec.seed)
    return {
        "first": textwrap.indent("".join(f"{line}\n" for line in first), " " * 8),
        "decide": textwrap.indent(decide, " " * 8),
        "moments": MOMENTS[optimizer],
        "shrink": textwrap.indent(shrink, " " * 8),
        "move": textwrap.indent(MOVE[optimizer], " " * 8),
        "optimizer": OPTIMIZERS[optimizer],
        "constants": CONSTANTS[optimizer] if together else "",
    }


def _notes(info: RunInfo, spec: RunSpec, together: bool) -> str:
    """Return what the reader should know, as paragraphs."""
    notes: list[str] = []
    if together:
        notes.append(
            "Both passes through the network are written out (gradnorm.training.batched.stack) as they were in the "
            "run, so that the numbers are the run's own. With autograd the body of the loop would be "
            "`balancer.backward(losses, shared=model.last_shared_layer)`, as in gradnorm's README: the same but for "
            "rounding, which grows with the steps."
        )
    if together and info.race:
        notes.append(
            "The run went in step with others, as one program, whose products are rounded in another order: its "
            "weights are these but for what such differences have grown to."
        )
    others = [] if info.keeps_events else [key for key in live_keys(spec) if key != "alpha"]
    if others:
        notes.append(
            f"An earlier version of gradnorm recorded the run: had {' or '.join(others)} been changed in mid-run, the "
            "records would not say so. Changes of α they hold."
        )
    return "".join(f"\n{textwrap.fill(text, _WIDE, break_on_hyphens=False)}\n" for text in notes)


def _network(model: Any, spec: RunSpec) -> tuple[str, str]:
    """Return how the network is made, and the import for it."""
    if type(model).__name__ != "MLP":
        flat = textwrap.fill(json.dumps(spec.to_json()), 10**6)
        return f"build(RunSpec.from_json({flat}), data)", (
            "from gradnorm.models.build import build\nfrom gradnorm.config.spec import RunSpec"
        )
    options = f'width={spec.width}, depth={spec.depth}, initialization="{spec.initialization}", seed={spec.seed}'
    return f"MLP(data.shape[0], data.tasks, {options})", "from gradnorm.models.mlp import MLP"


def _schedule(spec: RunSpec, changed: bool) -> str:
    """Return the body of `learning_rate(step)`. changed: whether the rate that it starts from is looked up in RATES."""
    flat = spec.flat()
    rate = "RATES[max(since for since in RATES if since <= step)]" if changed else repr(spec.learning_rate)
    if spec.schedule == "constant":
        return f"return {rate}"
    if spec.schedule == "cosine":
        return f"return {rate} * 0.5 * (1 + math.cos(math.pi * (step - 1) / {spec.steps}))"
    return f"return {rate} * {flat['rate_decay']!r} ** ((step - 1) // {flat['rate_decay_every']})"


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
