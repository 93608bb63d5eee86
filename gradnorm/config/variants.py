"""Specs made from other specs: the contenders of a race, a fork, a method frozen at its mean weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradnorm.config.spec import RunSpec, SpecError, changed, methods

# As many line styles as an eye tells apart.
MOST_CONTENDERS = 8
# What makes another network or another data set cannot change at a checkpoint.
_FIXED_AT_FORK = ("dataset", "seed", "network", "width", "depth", "channels", "initialization")
# What would put contenders out of step.
_FIXED_IN_RACE = ("dataset", "steps", "eval_every", "checkpoint_every", "pace")


def contender(base: RunSpec, text: str) -> RunSpec:
    """Return the spec of one contender, as in "gradnorm:alpha=0.5:seed=2".

    text: a method's name, then options of the method or the run. Lists have semicolons: "static:weights=1;3".
    Raises SpecError for an unknown method, an unknown option or one that all contenders share.
    """
    name, *options = text.strip().split(":")
    changes: dict[str, Any] = {"method": name}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise SpecError(f"A contender should be METHOD:KEY=VALUE:…. Found {text!r}. Write {key}=VALUE.")
        if key in (*_FIXED_IN_RACE, *type(base.dataset).model_fields):
            raise SpecError(f"{key} should be the same for all contenders. Found it in {text!r}. Set it for the race.")
        changes[key] = value
    return changed(base.flat(), changes)


def contenders(base: RunSpec, text: str) -> list[RunSpec]:
    """Return the specs of a race, as in "equal,gradnorm:alpha=0.5,uncertainty". Raises SpecError."""
    specs = [contender(base, part) for part in text.split(",") if part.strip()]
    if not 2 <= len(specs) <= MOST_CONTENDERS:
        raise SpecError(
            f"A race should have 2 to {MOST_CONTENDERS} contenders. Found {len(specs)}. "
            f"Name methods with commas between, of {', '.join(methods())}."
        )
    for i, spec in enumerate(specs):
        if spec in specs[:i]:
            raise SpecError(f"Contenders should differ. Found {_title(spec.flat())} twice. Give one another α or seed.")
    return specs


def product(base: RunSpec, names: Sequence[str], alphas: Sequence[float], seeds: Sequence[float]) -> list[RunSpec]:
    """Return the contenders methods × α × seeds; α for the methods that have one. Raises SpecError.

    alphas, seeds: empty keeps the base's own.
    """
    texts: list[str] = []
    for seed in seeds or [base.seed]:
        for name in names:
            has_alpha = name in methods() and "alpha" in methods()[name].model_fields
            with_alpha = [f":alpha={alpha:g}" for alpha in alphas] if has_alpha and alphas else [""]
            texts += [f"{name}{alpha}:seed={seed:g}" for alpha in with_alpha]
    return contenders(base, ",".join(texts))


def labels(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return short names that tell the runs of one chart apart: the method, and what differs besides.

    specs: flat specs of runs that are looked at together.
    """
    titles = [_title(spec) for spec in specs]
    names: list[str] = []
    for title, spec in zip(titles, specs, strict=True):
        rivals = [other for other, other_title in zip(specs, titles, strict=True) if other_title == title]
        keys = [key for key in spec if any(other.get(key) != spec[key] for other in rivals)]
        names.append(" ".join([title, *(f"{key.replace('_', ' ')} {_short(spec[key])}" for key in keys)]))
    return names


def fork(parent: Mapping[str, Any], changes: Mapping[str, Any]) -> RunSpec:
    """Return the spec of a run that goes on from a checkpoint of another with some keys changed.

    parent: the flat spec of the run that is forked.
    Raises SpecError where data or network would be another one.
    """
    before = RunSpec.parse(parent)
    spec = changed(parent, changes)
    flat, fixed = before.flat(), (*_FIXED_AT_FORK, *type(before.dataset).model_fields)
    for key, value in spec.flat().items():
        if key in fixed and flat.get(key) != value:
            raise SpecError(
                f"{key} should be {_short(flat.get(key))} as in the run that is forked. Found {_short(value)}. "
                "Change method, α, learning rate or steps, or start a new run."
            )
    return spec


def static(spec: RunSpec, mean_weights: Sequence[float]) -> RunSpec:
    """Return GradNorm Static: the same run with the weights fixed at a run's time average E_t[w_i(t)].

    mean_weights: shape [T].
    """
    changes = {"method": "static", "weights": [float(f"{w:.6g}") for w in mean_weights]}
    return changed(spec.flat(), changes)


def _title(spec: Mapping[str, Any]) -> str:
    if "recorded" in spec:
        return str(spec["recorded"])
    known = methods()
    name = str(spec.get("method"))
    title = known[name].title if name in known else name
    return title if spec.get("alpha") is None else f"{title} α {spec['alpha']:g}"


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], str):
            return ", ".join(value)
        return ";".join(f"{v:g}" for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
