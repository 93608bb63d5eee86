"""Methods beside single-task networks on each task's test metrics: the paper's Tables 1 and 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field, field_validator

from gradnorm.common.declarations import names
from gradnorm.comparison.delta_m import gain
from gradnorm.config.spec import RunSpec, SpecError, changed
from gradnorm.config.variants import contender, labels, static
from gradnorm.datasets.base import Dataset
from gradnorm.datasets.forms.registry import error_metrics, form_named
from gradnorm.studies.base import Member, Result, Results, Study, metrics_of, of_seeds, one, spread

# In the paper's units: metres, 100 − IoU, 1 − |cos|, and per cent of the picture's diagonal.
PAPER_METRICS = ("rmse", "iou_error", "cosine_error", "point_error")
# What a table of the paper asks of its data. Table 2 is of keypoints in place of classes, with a ResNet.
PAPER_TABLES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "table1": {},
        "table2": {"learn_classes": False, "learn_keypoints": True, "network": "resnet_fcn"},
    }
)
# At the paper's size, beside what the data set recommends for Table 1.
FULL: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"table1": {}, "table2": {"steps": 80_000, "rate_decay_every": 25_000}}
)
# Rendered rooms in minutes on a processor.
SMALL: Mapping[str, Any] = MappingProxyType({"size": 64, "count": 160, "steps": 300, "eval_every": 100})


class TableStudy(Study):
    """Methods compared on each task, and with networks that are trained for that task alone.

    methods: each a method with options, as in equal or gradnorm:alpha=0.5. Each GradNorm has GradNorm Static beside
        it, with its mean weights E_t[w_i(t)] of the same seed.
    """

    kind: ClassVar[str] = "table"
    title: ClassVar[str] = "Table of methods"
    summary: ClassVar[str] = "Trains methods, and each task alone, and compares the tasks' test metrics."

    methods: tuple[str, ...] = Field(
        default=("equal", "uncertainty", "dwa", "gradnorm"),
        title="Methods",
        description="Beside single tasks, as in equal,gradnorm:alpha=0.5. GradNorm Static comes with GradNorm.",
    )

    @field_validator("methods", mode="before")
    @classmethod
    def _parse_methods(cls, value: Any) -> Any:
        return names(value)

    @field_validator("methods")
    @classmethod
    def _some_methods(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        if not methods:
            raise ValueError("methods should name at least one. Found none. Give equal,gradnorm, say")
        return methods

    @property
    def size(self) -> int:
        """How many runs there will be."""
        gradnorms = sum(text.split(":")[0] == "gradnorm" for text in self.methods)
        return len(self.seeds) * (len(self._shared.dataset.task_names) + len(self.methods) + gradnorms)

    @property
    def _shared(self) -> RunSpec:
        return RunSpec.parse(self.base)

    def rows(self) -> dict[str, RunSpec]:
        """Return the specs of the methods by the names of their rows. Raises SpecError for a wrong or doubled one."""
        specs = [contender(self._shared, text) for text in self.methods]
        for i, spec in enumerate(specs):
            if spec in specs[:i]:
                raise SpecError(f"methods should differ. Found {self.methods[i]!r} twice. Give one another option.")
        return dict(zip(labels([spec.flat() for spec in specs]), specs, strict=True))

    def wanted(self, results: Results) -> list[Member]:
        """Return each task alone and each method; GradNorm Static where GradNorm's mean weights are known."""
        tasks = self._shared.dataset.task_names
        members = [
            self.member(_alone(name), seed, method="single", task=i)
            for i, name in enumerate(tasks, 1)
            for seed in self.seeds
        ]
        for name, spec in self.rows().items():
            for seed in self.seeds:
                own = changed(spec.flat(), {"seed": seed})
                members.append(Member(f"{name}, seed {seed}", own))
                ended = results.get(f"{name}, seed {seed}")
                if spec.method.name == "gradnorm" and ended is not None and ended.weights:
                    members.append(Member(f"{_frozen(name)}, seed {seed}", static(own, ended.weights)))
        return members

    def report(self, results: Results) -> dict[str, Any]:
        """Return a row for each task alone, each method and GradNorm Static, with metrics, and Δm against the former.

        Metrics are in the order of the tasks; None for what a single-task network has not learnt.
        """
        spec, tasks = self._shared, self._shared.dataset.task_names
        rows = [self._single(results, i) for i in range(len(tasks))]
        for name, own in self.rows().items():
            rows.append(self._row(results, name))
            if own.method.name == "gradnorm":
                rows.append(self._row(results, _frozen(name)))
        return {
            "kind": self.kind,
            "setting": setting(spec),
            "advice": spec.dataset.advice,
            "tasks": list(tasks),
            "columns": _columns(spec.dataset),
            "rows": rows,
        }

    def _single(self, results: Results, task: int) -> dict[str, Any]:
        tasks = self._shared.dataset.task_names
        found = of_seeds(results, _alone(tasks[task]), self.seeds)
        metrics = [own if i == task else None for i, own in enumerate(metrics_of(found))]
        return {"name": _alone(tasks[task]), "runs": len(found), "metrics": metrics, "delta_m": None, "why": ""}

    def _row(self, results: Results, name: str) -> dict[str, Any]:
        tasks, found = self._shared.dataset.task_names, of_seeds(results, name, self.seeds)
        gains = [
            gain(tasks, own.metrics, [result.metrics[i] for i, result in enumerate(alone)])
            for seed in self.seeds
            if (own := one(results, name, seed)) and (alone := _all_alone(results, tasks, seed))
        ]
        return {
            "name": name,
            "runs": len(found),
            "metrics": metrics_of(found),
            "delta_m": spread([each.percent for each in gains if each.percent is not None]),
            "why": next((each.why for each in gains if each.why), ""),
        }


def paper_base(table: str, given: Mapping[str, Any]) -> RunSpec:
    """Return what all runs of one of the paper's tables share: at full size, or small on rendered rooms.

    table: "table1" or "table2".  given: flat keys that take the place of these.
    Raises SpecError for data without the tasks of the table, or an option out of range.
    """
    dataset = given.get("dataset", "rooms")
    size = SMALL if dataset == "rooms" else FULL[table]
    return RunSpec.parse({"dataset": dataset, **PAPER_TABLES[table], **size, **given})


def setting(spec: RunSpec) -> str:
    """Return in one sentence at which size a table was made."""
    network = spec.dataset.networks[0] if spec.network == "auto" else spec.network
    channels = "" if network == "mlp" else f" with {spec.channels:g} × the paper's channels"
    size = getattr(spec.dataset, "size", None)
    pixels = f", {size} × {size} pixels" if size else ""
    steps = f"{spec.epochs:g} epochs" if spec.epochs else f"{spec.steps:,} steps"
    return f"{spec.dataset.title}{pixels}; {network}{channels}; {steps} of batch {spec.batch_size}."


def markdown(report: Mapping[str, Any]) -> list[str]:
    """Return the lines of a report's table: the median over the seeds, with the least and the most where they differ.

    report: what `TableStudy.report` returned.
    """
    heads = [f"{c['task']} {c['metric']} {'↓' if c['less'] else '↑'}" for c in report["columns"]]
    lines = [report["setting"], *([report["advice"]] if report["advice"] else []), ""]
    lines += [f"| method | {' | '.join([*heads, 'Δm %'])} |", f"|{'---|' * (len(heads) + 2)}"]
    for row in report["rows"]:
        scores = [
            _cell(row["metrics"][i][c["metric"]] if row["metrics"] and row["metrics"][i] else None, "{:.4g}")
            for i, c in enumerate(report["columns"])
        ]
        lines.append(f"| {row['name']} | {' | '.join([*scores, _cell(row['delta_m'], '{:+.1f}')])} |")
    return [*lines, *dict.fromkeys(f"{row['name']}: {row['why']}" for row in report["rows"] if row["why"])]


def _cell(found: Mapping[str, Any] | None, form: str) -> str:
    if found is None:
        return "–"
    median, least, most = (form.format(found[name]) for name in ("median", "least", "most"))
    return median if found["runs"] == 1 else f"{median} ({least} … {most})"


def _columns(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the metric that stands for each task: the paper's if its form has one, else the first."""
    columns: list[dict[str, Any]] = []
    for task, form, usual in zip(dataset.task_names, dataset.task_forms, dataset.task_metrics, strict=True):
        known = form_named(form).metrics if form else ()
        metric = next((name for name in PAPER_METRICS if name in known), usual)
        columns.append({"task": task, "metric": metric, "less": metric in error_metrics()})
    return columns


def _all_alone(results: Results, tasks: Sequence[str], seed: int) -> list[Result]:
    """Return the results of all tasks alone for one seed; empty where one is missing."""
    found = [one(results, _alone(task), seed) for task in tasks]
    return [result for result in found if result is not None] if all(found) else []


def _alone(task: str) -> str:
    return f"{task} alone"


def _frozen(name: str) -> str:
    return f"{name}, Static"
