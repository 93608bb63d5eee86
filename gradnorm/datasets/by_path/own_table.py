"""The user's own table: a CSV or Parquet file in which some columns are learnt from the others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from gradnorm.common.declarations import names
from gradnorm.datasets.base import Source
from gradnorm.datasets.readers.folders import DataError, allowed_file
from gradnorm.datasets.readers.table import Table
from gradnorm.datasets.readers.table_reader import read_table
from gradnorm.datasets.tabular.inputs import ColumnChoice, TargetForm, input_columns
from gradnorm.datasets.tabular.preprocessing import Prepared, form_of, prepare
from gradnorm.datasets.tabular.table import TableDataset, TableSource

# How a target is learnt, by the word after the colon in its option.
FORMS: Mapping[str, TargetForm] = {"number": "regression", "class": "classification"}


class OwnTable(TableDataset):
    """Chosen columns of a table file, learnt together from the others."""

    name: ClassVar[str] = "table"
    title: ClassVar[str] = "Your table"
    summary: ClassVar[str] = "Columns of a CSV or Parquet file of yours, learnt from the others."
    recommended: ClassVar[Mapping[str, Any]] = {
        "optimizer": "adam",
        "schedule": "cosine",
        "epochs": 60.0,
        "patience": 0.3,
        "weight_decay": 0.1,
        # The first answers are near 0, which is the mean of a standardised target: what a small table does not teach,
        # a network with larger first answers keeps as noise.
        "initialization": "uniform",
        "alpha": 0.12,
        # Standardised targets are nearly in balance. Faster weights leave a task that is learnt by heart with all of
        # the weight.
        "weight_learning_rate": 0.001,
    }
    by_path: ClassVar[bool] = True
    counted: ClassVar[bool] = True
    former: ClassVar[Mapping[str, Any]] = {"validation_share": 0.0, "reading": "plain"}

    file: str = Field(
        "",
        title="File",
        description="CSV or Parquet, below the data folder (GRADNORM_DATA).",
        json_schema_extra={"path": True},
    )
    targets: tuple[str, ...] = Field(
        (), title="Targets", description="Columns that are learnt, as in price:number,cut:class.", max_length=100
    )
    inputs: tuple[str, ...] = Field(
        (), title="Inputs", description="Columns that they are learnt from. Empty: all others that can be used."
    )
    group: str = Field(
        "", title="Split by", description="A column whose groups lie wholly in training or test. Empty: by rows."
    )
    test_share: float = Field(0.2, gt=0, le=0.9, title="Test share", description="Part of the rows that is held out.")
    validation_share: float = Field(
        0.1,
        ge=0,
        le=0.5,
        title="Validation share",
        description="Part of the other rows that is kept from training, to choose the best network by (patience).",
    )
    missing: Literal["drop", "fill"] = Field(
        "drop",
        title="Missing values",
        description="drop: the row; columns that lack too much are no inputs then. fill: inputs, with the training "
        "median, or a category of their own.",
    )
    reading: Literal["careful", "plain"] = Field(
        "careful",
        title="Reading",
        description="careful: understand numbers and dates in their usual spellings, and leave out what cannot be "
        "used. plain: take the cells as they are, as earlier versions did.",
    )

    units: Literal["raw", "centred", "standardised"] = Field(
        "standardised",
        title="Target units",
        description="standardised: mean 0, variance 1. centred: mean 0. raw: as in the file (dollars, pixels).",
    )

    @field_validator("targets", "inputs", mode="before")
    @classmethod
    def _read_names(cls, value: Any) -> Any:
        return names(value)

    @field_validator("targets", "inputs")
    @classmethod
    def _differ(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        columns = [target_of(text)[0] for text in value] if info.field_name == "targets" else list(value)
        for i, column in enumerate(columns):
            if column in columns[:i]:
                raise ValueError(f"{info.field_name} should name each column once. Found {column!r} twice")
        return value

    @property
    def plain_answers(self) -> bool:
        """Numbers and words."""
        return True

    @property
    def task_names(self) -> tuple[str, ...]:
        """The names of the target columns; a placeholder if none is chosen yet."""
        return tuple(target_of(text)[0] for text in self.targets) or ("target",)

    @property
    def task_forms(self) -> tuple[str, ...]:
        """The forms that the targets name, else those that suit the columns; regressions if the file cannot be read."""
        return tuple(form or self._form(name) for name, form in map(target_of, self.targets)) or ("regression",)

    def _form(self, name: str) -> TargetForm:
        try:
            return form_of(self.table().column(name))
        except DataError:
            return "regression"

    def table(self) -> Table:
        """Return the table of the file. Raises DataError if there is no file, or if it is no table."""
        if not self.file:
            raise DataError("There should be a file. Found none. Give one, as in --dataset table:houses.csv.")
        return read_table(allowed_file(self.file, uploads=True), careful=self.reading == "careful")

    def prepared(self) -> Prepared:
        """Return the numbers to train on, with notes on what was left out. The result is cached until the file changes.

        Raises DataError if the file is no table, or if the chosen columns cannot be learnt.
        """
        return _prepared(self.table(), self._choice())

    def examples(self) -> int | None:
        """Return the number of training rows; None where the file or the columns cannot be used."""
        try:
            prepared = self.prepared()
        except DataError:
            return None
        return len(prepared.inputs) - len(prepared.test) - len(prepared.validation)

    def notes(self) -> tuple[str, ...]:
        """Return what is left out, filled in or encoded. Raises the errors of `prepared`."""
        return self.prepared().notes

    def input_names(self) -> tuple[str, ...]:
        """Return the names of the input columns. Raises the errors of `prepared`."""
        return tuple(column.name for column in input_columns(self.table(), self._choice())[0])

    def _choice(self) -> ColumnChoice:
        return ColumnChoice(
            targets=tuple(map(target_of, self.targets)),
            inputs=self.inputs,
            group=self.group,
            test_share=self.test_share,
            validation_share=self.validation_share,
            fill=self.missing == "fill",
            careful=self.reading == "careful",
        )

    def load(self, seed: int) -> Source:
        """Return the rows as a source; see `Dataset.load`. Raises the errors of `prepared`."""
        prepared = self.prepared()
        return TableSource(self, prepared.inputs, prepared.targets, prepared.test, seed, prepared.validation)


def target_of(text: str) -> tuple[str, TargetForm | None]:
    """Return column and form of a target such as "cut:class" or "price:number". The form of "cut" is None."""
    name, colon, form = text.rpartition(":")
    return (name, FORMS[form]) if colon and name and form in FORMS else (text, None)


@lru_cache(maxsize=1)
def _prepared(table: Table, choice: ColumnChoice) -> Prepared:
    return prepare(table, choice)
