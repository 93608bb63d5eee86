"""The kinds of study, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from gradnorm.common.declarations import explain
from gradnorm.config.spec import SpecError
from gradnorm.studies.alpha import AlphaStudy
from gradnorm.studies.base import Study
from gradnorm.studies.grid import FixedStudy, GridStudy
from gradnorm.studies.table import TableStudy

KINDS: Mapping[str, type[Study]] = {kind.kind: kind for kind in (AlphaStudy, GridStudy, FixedStudy, TableStudy)}


def study_of(kind: str, spec: Mapping[str, Any]) -> Study:
    """Return the study that was stored as `model_dump` gave it. Raises SpecError for one that this build lacks."""
    if kind not in KINDS:
        raise SpecError(f"A study should be one of {', '.join(KINDS)}. Found {kind!r}. Update the program.")
    try:
        return KINDS[kind].model_validate(spec)
    except ValidationError as error:
        raise SpecError(explain(error, KINDS[kind], "Update the program.")) from None
