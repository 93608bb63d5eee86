"""RunSpec: everything that defines a run. Flat as JSON, as a URL's query and as command-line options."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

from gradnorm.config.parts import (
    SpecError,
    as_text,
    built,
    check_fit,
    chosen,
    datasets,
    is_whole,
    methods,
    unchanged,
)
from gradnorm.config.presets import PRESETS
from gradnorm.datasets.base import Dataset
from gradnorm.methods.base import Method

__all__ = [
    "PRESETS",
    "RunSpec",
    "SpecError",
    "carried",
    "changed",
    "datasets",
    "methods",
    "preset",
]

# The limits of a run that is measured in epochs; the upper one is that of all runs.
LEAST_STEPS, MOST_STEPS = 2000, 10_000_000


class RunSpec(BaseModel):
    """Everything that defines a run. The same spec on the same machine gives the same numbers.

    >>> from gradnorm import RunSpec
    >>> spec = RunSpec.parse({"dataset": "toy", "tasks": 2, "sigmas": "1,100", "alpha": 0.12})
    >>> spec.title, spec.method.alpha, spec.steps
    ('toy-2 · GradNorm α 0.12 · seed 0', 0.12, 4000)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset: SerializeAsAny[Dataset] = Field(title="Data set", description="What is learnt.")
    method: SerializeAsAny[Method] = Field(title="Method", description="How the losses are weighed.")
    seed: int = Field(0, ge=0, le=2**31 - 1, title="Seed", description="Of data, initial network and batches.")
    steps: int = Field(4000, ge=1, le=MOST_STEPS, title="Steps", description="Length of the run in optimizer steps.")
    epochs: float = Field(
        0.0,
        ge=0,
        le=100_000,
        title="Epochs",
        description="Length in passes over the training rows of a table, 2,000 steps at least. 0: as steps says.",
    )
    patience: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Patience",
        description="Part of a run without a better validation loss that ends it; its best network is kept. 0: never.",
    )
    batch_size: int = Field(100, ge=1, le=65536, title="Batch size", description="Examples a step.")
    optimizer: Literal["sgd", "adam"] = Field(
        "sgd", title="Optimizer", description="Of the network. sgd has momentum 0.9."
    )
    learning_rate: float = Field(1e-3, gt=0, le=10, title="Learning rate", description="Of the network's optimizer.")
    weight_decay: float = Field(
        0.0,
        ge=0,
        le=10,
        title="Weight decay",
        description="Shrinks the network's parameters by learning rate × this at each step, as AdamW does.",
    )
    schedule: Literal["constant", "cosine", "steps"] = Field(
        "constant",
        title="Schedule",
        description="Of the learning rate. cosine falls to 0 at the last step; steps multiplies by the decay.",
    )
    rate_decay: float = Field(
        0.2, gt=0, le=1, title="Rate decay", description="What schedule steps multiplies the learning rate by."
    )
    rate_decay_every: int = Field(
        6000, ge=1, le=10_000_000, title="Rate decay every", description="Steps between two such decays."
    )
    network: Literal["auto", "mlp", "cnn", "segnet", "resnet_fcn", "landmarks"] = Field(
        "auto", title="Network", description="auto takes the data set's own."
    )
    channels: float = Field(
        1.0,
        gt=0,
        le=4,
        title="Channel factor",
        description="Of networks for pictures, on the channels of every layer; 1 is the paper's.",
    )
    initialization: Literal["he", "xavier", "uniform"] = Field(
        "he", title="Initialisation", description="Of the network. uniform is PyTorch's own default."
    )
    width: int = Field(100, ge=1, le=4096, title="Width", description="Of an mlp: units in each shared layer.")
    depth: int = Field(4, ge=1, le=32, title="Depth", description="Of an mlp: shared layers; the last one is W.")
    eval_every: int = Field(
        100, ge=1, le=1_000_000, title="Evaluate every", description="Steps between two test evaluations."
    )
    checkpoint_every: int = Field(
        200,
        ge=0,
        le=1_000_000,
        title="Checkpoint every",
        description="Steps between two checkpoints, from which a run can go on or be forked. 0 keeps none.",
    )
    watch_norms: bool = Field(
        True,
        title="Watch gradient norms",
        description="Measure norms even where the method does not need them, at some cost in speed.",
    )
    pace: float = Field(
        0.0,
        ge=0,
        le=100_000,
        title="Pace",
        description="Steps a second at most, to watch in slow motion; below 0.1 counts as 0.1. 0 is full speed.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", title="Device", description="auto takes a GPU if there is one."
    )
    threads: int = Field(1, ge=0, le=256, title="CPU threads", description="For torch on the CPU; 0 leaves it alone.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_fit(self.dataset, self.method, self.network, {"epochs": self.epochs, "patience": self.patience})
        return self

    @classmethod
    def parse(cls, flat: Mapping[str, Any]) -> Self:
        """Return the spec of flat keys.

        flat: options by name, as in {"dataset": "toy", "tasks": 2, "alpha": 0.12}. A key that is left out takes
            the data set's recommendation, else its default. A length in steps takes the place of recommended epochs.
            Numbers may be written as text.
        Raises SpecError for an unknown key or a value out of range.
        """
        keys = dict(flat)
        if "recorded" in keys:
            raise SpecError(
                "A spec should be one that gradnorm trains. "
                f"Found that of {keys['recorded']!r}, which a script recorded. Run the script again."
            )
        dataset = chosen("dataset", keys.pop("dataset", "toy"), datasets())
        method = chosen("method", keys.pop("method", "gradnorm"), methods())
        suits = {k: v for k, v in dataset.recommended.items() if k in _keys(method, cls)}
        if "steps" in keys:
            suits.pop("epochs", None)
        # A spec that gives every other option of its data set was written by `flat` before there were these.
        if dataset.former and dataset.model_fields.keys() - dataset.former.keys() <= keys.keys():
            suits = dict(dataset.former)
        # Of methods likewise; many have had no options at first, so that those of a run tell it.
        if is_whole(keys):
            suits |= method.former
        values = {**suits, **keys}
        parts: dict[str, dict[str, Any]] = {"dataset": {}, "method": {}, "run": {}}
        for key, value in values.items():
            parts[_part(key, dataset, method)][key] = value
        made = {"dataset": built(dataset, parts["dataset"]), "method": built(method, parts["method"])}
        return built(cls, {**made, **parts["run"]})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the spec that `to_json` wrote, or somebody by hand. Raises SpecError for anything else."""
        try:
            flat = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SpecError(f"A spec should be a JSON object. Found a text that is not JSON ({error}).") from None
        if not isinstance(flat, dict):
            raise SpecError('A spec should be a JSON object, as in {"dataset": "toy", "tasks": 2}.')
        return cls.parse(cast("dict[str, Any]", flat))

    def flat(self) -> dict[str, Any]:
        """Return all keys and values as plain JSON types, which `parse` reads back."""
        own = self.model_dump(mode="json", exclude={"dataset", "method"})
        return {
            "dataset": self.dataset.name,
            **self.dataset.model_dump(mode="json"),
            "method": self.method.name,
            **self.method.model_dump(mode="json"),
            **own,
        }

    def to_json(self) -> str:
        """Return the flat form as a JSON text, which `from_json` reads back."""
        return json.dumps(self.flat())

    def query(self) -> dict[str, str]:
        """Return data set, method and all that differs from the defaults as a URL's query, which `parse` reads back.

        >>> RunSpec.parse({"dataset": "digits", "alpha": 0.5}).query()
        {'dataset': 'digits', 'method': 'gradnorm', 'alpha': '0.5'}
        """
        flat, named = self.flat(), {"dataset": self.dataset.name, "method": self.method.name}
        default = type(self).parse(named).flat()
        always = {*named, "tasks", "sigmas"}
        found = {k: as_text(v) for k, v in flat.items() if k in always or default[k] != v}
        # Steps alone would say that no epochs are meant.
        return {**found, "epochs": as_text(self.epochs)} if "steps" in found and self.epochs else found

    def settled(self) -> Self:
        """Return the spec with the steps that its epochs take; itself where it has none or the rows cannot be counted.

        steps = ⌈epochs · rows / batch size⌉, and `LEAST_STEPS` at least: a pass over a small table is a few steps.
        """
        rows = self.dataset.examples() if self.epochs else None
        if rows is None:
            return self
        steps = max(LEAST_STEPS, math.ceil(self.epochs * rows / self.batch_size))
        return self.model_copy(update={"steps": min(steps, MOST_STEPS)})

    @property
    def title(self) -> str:
        """A short name for lists: data set, number of tasks, method, α if it has one, seed."""
        alpha = getattr(self.method, "alpha", None)
        middle = self.method.title if alpha is None else f"{self.method.title} α {alpha:g}"
        return f"{self.dataset.name}-{len(self.dataset.task_names)} · {middle} · seed {self.seed}"


def _keys(method: type[Method], spec: type[RunSpec]) -> set[str]:
    return {*method.model_fields, *spec.model_fields}


def _part(key: str, dataset: type[Dataset], method: type[Method]) -> str:
    if key in dataset.model_fields:
        return "dataset"
    if key in method.model_fields:
        return "method"
    if key in RunSpec.model_fields:
        return "run"
    known = sorted({*dataset.model_fields, *_keys(method, RunSpec)})
    raise SpecError(
        f"{key} should be an option of data set {dataset.name!r} or method {method.name!r}. "
        f"Found {key!r}. The options are: {', '.join(known)}."
    )


def preset(name: str, changes: Mapping[str, Any] | None = None) -> RunSpec:
    """Return a preset with some keys changed.

    name: one of `PRESETS`.
    changes: flat keys, as in {"method": "equal"}. Options of the preset that a newly chosen method or data set
        lacks are dropped.
    Raises SpecError for an unknown preset or a wrong change.
    """
    if name not in PRESETS:
        raise SpecError(f"preset should be one of {', '.join(PRESETS)}. Found {name!r}. Choose one of them.")
    return changed(PRESETS[name], changes or {})


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> RunSpec:
    """Return the spec of flat keys with some of them changed.

    base: the flat keys of a spec, of which what `carried` returns is kept.
    changes: flat keys that replace them.
    Raises SpecError for an unknown key or a value out of range.
    """
    return RunSpec.parse({**carried(base, changes), **changes})


def carried(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of `base` that still make sense beside `changes`.

    Another method drops the hyperparameters that it lacks, or that were left at the old one's default. Another data
    set drops the old one's options. Another number of tasks drops whatever lists a value for each task.
    """
    dataset = str(changes.get("dataset", base.get("dataset", "toy")))
    method = str(changes.get("method", base.get("method", "gradnorm")))
    if dataset not in datasets() or method not in methods():
        return dict(base)  # parse names the fault
    keep = {*datasets()[dataset].model_fields, *_keys(methods()[method], RunSpec)} - unchanged(base, method)
    if dataset != base.get("dataset"):
        # Not each has rows to count and to validate with.
        keep -= {*datasets()[str(base.get("dataset", "toy"))].model_fields, "epochs", "patience"}
    left = {key: value for key, value in base.items() if key in keep}
    if method != base.get("method", "gradnorm") and is_whole(base):
        # Without these it would be taken for a spec of before there were such options.
        left = {key: methods()[method].model_fields[key].default for key in methods()[method].former} | left
    # A new number of tasks needs new σ and new weights, and a new list of σ says how many tasks there are.
    if {"tasks", "sigmas", "dataset"} & changes.keys():
        for key in ("weights", "hold", "priorities", "task", "noise"):
            left.pop(key, None)
    for given, other in (("steps", "epochs"), ("tasks", "sigmas"), ("sigmas", "tasks")):
        if given in changes and other not in changes:
            left.pop(other, None)
    return left
