"""Specs made from other specs: the contenders of a race, a fork, a method frozen at its mean weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradnorm.common.texts import Text, joined
from gradnorm.config.spec import RunSpec, SpecError, changed, datasets, methods
from gradnorm.datasets.base import numbered

# As many as one panel draws and one program trains side by side.
MOST_CONTENDERS = 64
# What makes another network or another data set cannot change at a checkpoint.
_FIXED_AT_FORK = ("dataset", "seed", "network", "width", "depth", "channels", "initialization")
# What would put contenders out of step.
_FIXED_IN_RACE = ("dataset", "steps", "eval_every", "checkpoint_every", "pace")


def contender(base: RunSpec, text: str) -> RunSpec:
    """Return the spec of one contender of a race.

    base: the spec that all contenders share, but for what `text` changes.
    text: a method's name and options of the method or the run, as in "gradnorm:alpha=0.5:seed=2". Lists have
        semicolons, as in "static:weights=1;3".
    Raises SpecError for an unknown method, an unknown option, or an option that all contenders share.
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
    """Return the specs of a race.

    base: see `contender`.
    text: 2 to 64 different contenders with commas between, as in "equal,gradnorm:alpha=0.5,uncertainty".
    Raises SpecError for another number of contenders, two that are equal, or a wrong one.
    """
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
    """Return the contenders methods × α × seeds; see `combinations`.

    base: see `contender`.
    Raises SpecError as `contenders` does.
    """
    return contenders(base, ",".join(combinations(names, alphas, seeds or [base.seed])))


def combinations(names: Sequence[str], alphas: Sequence[float], seeds: Sequence[float]) -> list[str]:
    """Return the contenders methods × α × seeds as `contender` reads them.

    names: methods.
    alphas: values in [0, 5], for the methods that have one; empty to keep that of the base.
    seeds: whole numbers ≥ 0; empty to keep that of the base.
    """
    texts: list[str] = []
    for seed in [f":seed={seed:g}" for seed in seeds] or [""]:
        for name in names:
            has_alpha = name in methods() and "alpha" in methods()[name].model_fields
            with_alpha = [f":alpha={alpha:g}" for alpha in alphas] if has_alpha and alphas else [""]
            texts += [f"{name}{alpha}{seed}" for alpha in with_alpha]
    return texts


def labels(specs: Sequence[Mapping[str, Any]], alphas: Sequence[Text | None] = ()) -> list[str]:
    """Return a short name for each run of one chart: its method, and the options that tell it from others of it.

    specs: the flat specs of the runs.
    alphas: of each run how its α was moved, in place of the spec's; None where it was not. Left out, none was.
    A name is a `Text`, which pages can translate, but for that of a recorded run.

    >>> labels([{"method": "equal", "seed": 1}, {"method": "equal", "seed": 2}, {"method": "gls", "seed": 1}])
    ['Equal weights seed 1', 'Equal weights seed 2', 'Geometric loss (GLS)']
    """
    titles = [_title(spec) for spec in specs]
    # Of each title the options that are not the same in all specs of it.
    differing = {
        title: [key for key in dict.fromkeys(key for spec in alike for key in spec) if not _same(alike, key)]
        for title in dict.fromkeys(titles)
        for alike in [[spec for spec, other in zip(specs, titles, strict=True) if other == title]]
    }
    names: list[str] = []
    for title, spec, alpha in zip(titles, specs, alphas or [None] * len(specs), strict=True):
        told = [_option(key, spec[key]) for key in spec if key in differing[title]]
        name = _title(spec, alpha)
        names.append(joined([name, *told], " ") if told else name)
    return names


def _option(key: str, value: Any) -> Text:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    told = Text("{value:g}", {"value": value}) if number else _short(value)
    return Text(option_template(key), {"value": told})


def option_template(key: str) -> str:
    """Return how a label tells an option's value: "learning rate {value}"."""
    return f"{key.replace('_', ' ')} {{value}}"


def task_texts(spec: Mapping[str, Any], tasks: Sequence[str]) -> tuple[str, ...]:
    """Return a run's task names; those that are but numbers are texts, which pages can translate.

    spec: the run's flat spec.  tasks: its task names as they are kept.
    """
    kind = None if "recorded" in spec else datasets().get(str(spec.get("dataset")))
    own = numbered(len(tasks)) if kind and kind.numbered_tasks else ()
    return own if own == tuple(tasks) else tuple(tasks)


def _same(specs: Sequence[Mapping[str, Any]], key: str) -> bool:
    return all(spec.get(key) == specs[0].get(key) for spec in specs)


def fork(parent: Mapping[str, Any], changes: Mapping[str, Any]) -> RunSpec:
    """Return the spec of a run that continues from a checkpoint of another one, with some keys changed.

    parent: the flat spec of the run that is forked.
    changes: flat keys that replace its own.
    Raises SpecError if they would change the data or the network.
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


def equal_twin(spec: RunSpec) -> RunSpec:
    """Return the same run with all weights equal: same data, network and batches."""
    return changed(spec.flat(), {"method": "equal"})


def against_equal(spec: RunSpec) -> list[RunSpec]:
    """Return the race of a spec against equal weights; a spec of equal weights gets GradNorm as its rival."""
    rival = changed(spec.flat(), {"method": "gradnorm"}) if spec.method.name == "equal" else equal_twin(spec)
    return [spec, rival]


def by_hand(spec: RunSpec, seconds: float) -> list[RunSpec]:
    """Return the race of weights held by hand, at first equal, against GradNorm.

    spec: what both share.  seconds: how long the race is to take, > 0; its pace is made for it.
    """
    steps = spec.settled().steps
    rivals = spec if spec.method.name == "gradnorm" else changed(spec.flat(), {"method": "gradnorm"})
    paced = changed(rivals.flat(), {"pace": max(1.0, round(steps / seconds))})
    return [changed(paced.flat(), {"method": "static", "weights": [1.0] * len(spec.dataset.task_names)}), paced]


def static(spec: RunSpec, mean_weights: Sequence[float]) -> RunSpec:
    """Return the spec of GradNorm Static: the same run with constant weights.

    spec: the run's spec.
    mean_weights: the time averages E_t[w_i(t)] of a run's weights, shape [T].
    Raises SpecError if they do not fit the spec.
    """
    weights = [float(f"{w:.6g}") for w in mean_weights]
    changes = {"method": "static", "weights": weights, "heads": spec.method.heads}
    return changed(spec.flat(), changes)


def _title(spec: Mapping[str, Any], alpha: Text | None = None) -> str:
    if "recorded" in spec:
        return str(spec["recorded"])
    known = methods()
    name = str(spec.get("method"))
    title = known[name].title if name in known else name
    method = Text(title, {})
    if spec.get("alpha") is None:
        return method
    told = alpha or Text("{value:g}", {"value": spec["alpha"]})
    return Text("{method} α {alpha}", {"method": method, "alpha": told})


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], str):
            return ", ".join(value)
        return ";".join(f"{v:g}" for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
