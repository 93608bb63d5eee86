"""What every data set is: frozen options, the tasks that they declare, and a source of batches.

The pages read the options before torch is loaded, so a data set imports torch inside `load`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from gradnorm.common.texts import Text, filled
from gradnorm.datasets.forms.registry import form_named
from gradnorm.methods.base import Kind

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Task:
    """One task: the shape of its output, and how it is judged.

    name: unique within its data set.
    form: the name of a form of target, such as "regression" or "depth"; see `gradnorm.datasets.forms`. It decides
        the shape of the targets, the loss and the test metrics. Empty for a term of a problem, which has no targets.
    outputs: ≥ 1; numbers per example for a regression, classes for a classification, channels of a map.
    unit: of the target, for axis labels; empty if it has none.
    center, scale: the head's output is center + scale·(output of its affine layer), each a number or one number per
        output. 0 and 1 change nothing. Maps ignore them.
    classes: the names of the classes, in order; empty if they have none.
    Raises ValueError if there is no such form, or if outputs does not fit it.
    """

    name: str
    form: str
    outputs: int
    unit: str = ""
    center: float | tuple[float, ...] = 0.0
    scale: float | tuple[float, ...] = 1.0
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.form:
            return
        form = form_named(self.form)
        if self.outputs < 1 or form.outputs not in (None, self.outputs):
            should = "1 or more" if form.outputs is None else f"{form.outputs} for the form {self.form!r}"
            raise ValueError(f"outputs of task {self.name!r} should be {should}. Found {self.outputs}. Change it.")

    @property
    def kind(self) -> Kind:
        """ "classification" if the loss is a cross entropy, else "regression"."""
        return form_named(self.form).kind if self.form else "regression"


@dataclass(frozen=True)
class Batch:
    """B examples with the targets of all T tasks.

    inputs: vectors [B, D], float32; or pictures [B, channels, H, W], uint8 from 0 to 255.
    targets: T tensors, each of the shape that the task's form says (`Form.target_shape`), B along the first axis.
        int64 for forms whose targets are classes, else float32.
    """

    inputs: Tensor
    targets: tuple[Tensor, ...]


class Source(ABC):
    """A loaded data set: it gives a training batch for every step, and holds one fixed test set.

    A subclass sets `tasks` and `test`, and implements `batch`. All tensors live on the CPU. The engine may call `batch`
    from several threads at once, so `batch` must not change the source.

    tasks: T declarations, in the order of the targets.
    test: the test set, N ≥ 1 examples; the same for every seed if results are to be comparable.
    stride: ≥ 1, height of the inputs over height of the target maps; 1 where targets are not maps.
    validation: examples that are neither trained on nor tested with, by which the best network of a run is chosen; None
        where there are none.
    examples: the number of training examples; None where they are made anew at each step, or have not been counted.
    slow: whether a batch takes long to make, for instance because it reads files. The engine then makes several batches
        at a time.
    """

    tasks: tuple[Task, ...]
    test: Batch
    validation: Batch | None = None
    examples: int | None = None
    stride: int = 1
    slow: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input: (D,) for vectors, (channels, H, W) for pictures."""
        return tuple(self.test.inputs.shape[1:])

    @abstractmethod
    def batch(self, step: int, size: int) -> Batch:
        """Return the training batch of a step. It depends on the seed, the step and the size alone.

        step: t ≥ 1.  size: B ≥ 1; the batch has exactly so many examples.
        A run that continues from a checkpoint asks for the same batches again, so equal arguments must give equal
        batches.
        """

    def block(self, first: int, count: int, size: int) -> list[Batch]:
        """Return the training batches of several steps. A subclass may make them at once where that is faster.

        first: the first step, ≥ 1.  count: how many steps, ≥ 1.  size: B of each batch, ≥ 1.
        Returns what `batch` returns for each step, except for rounding. It depends on the seed and the three arguments
        alone.
        """
        return [self.batch(step, size) for step in range(first, first + count)]

    def line(self, positions: Sequence[float]) -> Batch | None:
        """Return the examples at these places of a line through the inputs, where tasks are functions to be drawn.

        None where they are not.
        """
        return None


def numbered(count: int) -> tuple[Text, ...]:
    """Return "task 1" to "task T" for tasks that have no names of their own."""
    return tuple(filled("task {number}", number=i + 1) for i in range(count))


def unbound(inputs: Tensor, targets: Sequence[Tensor]) -> list[Batch]:
    """Return N batches from tensors whose first axis is the batch's number.

    inputs: [N, B, ...].  targets: T tensors [N, B, ...].
    """
    return [
        Batch(x, ys) for x, ys in zip(inputs.unbind(), zip(*(y.unbind() for y in targets), strict=True), strict=True)
    ]


class Dataset(BaseModel, ABC):
    """A data set, before it is loaded. Its fields are its options; each declares range, default, title and help once.

    A new data set is one subclass in one file of `gradnorm/datasets/builtin/` or `gradnorm/datasets/by_path/`. The
    class is a frozen pydantic model: the dashboard, the command line and the URL offer its fields as options.

    name: as `--dataset` and the URL take it; unique.
    title: as the picker shows it.
    summary: one sentence for the picker.
    recommended: values of `RunSpec` fields, and of fields of its method, that suit this data set. They apply where a
        spec does not say otherwise.
    networks: the names of the networks that suit it, as `RunSpec.network` takes them; the first is the default.
    counted: whether its training examples can be counted (`examples`), so that a run may be measured in epochs.
    numbered_tasks: whether its tasks have no names of their own, and so those of `numbered`.
    former: options that came after the first specs were written, with the values that these specs meant. A spec that
        gives all other options of the data set, as `RunSpec.flat` does, takes these for those that it lacks.
    by_path: whether it reads files that the user names, so that it cannot be loaded with its defaults. It marks its
        path fields with `json_schema_extra={"path": True}`.
    from_pages: whether pages may start its runs; not if to load it is to execute the user's code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    recommended: ClassVar[Mapping[str, Any]] = {}
    # Packages that it imports besides those of every installation; see `gradnorm.common.extras`.
    packages: ClassVar[tuple[str, ...]] = ()
    networks: ClassVar[tuple[str, ...]] = ("mlp",)
    by_path: ClassVar[bool] = False
    from_pages: ClassVar[bool] = True
    counted: ClassVar[bool] = False
    numbered_tasks: ClassVar[bool] = False
    former: ClassVar[Mapping[str, Any]] = {}

    @property
    @abstractmethod
    def task_names(self) -> tuple[str, ...]:
        """The names of the T tasks, each once. They must not need the data."""

    @property
    @abstractmethod
    def task_forms(self) -> tuple[str, ...]:
        """The names of the T tasks' forms of target (`gradnorm.datasets.forms`). They must not need the data."""

    @property
    def task_metrics(self) -> tuple[str, ...]:
        """Of each task's test metrics the one to look at first."""
        return tuple(next(iter(form_named(form).metrics)) for form in self.task_forms)

    @classmethod
    def pictured(cls) -> bool:
        """Return whether the gallery can show what a network answers."""
        return any(network != "mlp" for network in cls.networks)

    @property
    def plain_answers(self) -> bool:
        """Whether a network's answers are curves, numbers or words, and quick to look at; maps are for the gallery."""
        views = [form and form_named(form).view for form in self.task_forms]
        return not self.by_path and all(view in ("classification", "regression") for view in views)

    @property
    def advice(self) -> str:
        """One sentence that a user of these options should read before a run; empty if there is none."""
        return ""

    def examples(self) -> int | None:
        """Return the number of training examples; None where it is not known, as before a file has been chosen."""
        return None

    def notes(self) -> tuple[str, ...]:
        """Return one sentence for each thing that a user of these data should know before a run.

        Raises DataError if files are missing or malformed.
        """
        return ()

    @abstractmethod
    def load(self, seed: int) -> Source:
        """Return the data.

        seed: ≥ 0. The same seed and options give the same batches.
        Raises DataError (`gradnorm.datasets.readers.folders`) if files are missing or malformed.
        """
