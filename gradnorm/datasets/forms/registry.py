"""Finds the forms of target by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from gradnorm.common.discovery import discover
from gradnorm.datasets.forms.base import Form


@cache
def forms() -> Mapping[str, Form]:
    """Return every form of target by its name. Raises what a broken file raises."""
    return MappingProxyType({name: form() for name, form in discover(Form, "gradnorm.datasets.forms").items()})


def form_named(name: str) -> Form:
    """Return the form of this name. Raises ValueError if there is none."""
    try:
        return forms()[name]
    except KeyError:
        raise ValueError(
            f"The form of a target should be one of {', '.join(forms())}. Found {name!r}. "
            "Name one of these, or add a form as a file in gradnorm/datasets/forms/."
        ) from None


# What a problem's solution is judged by: how far it is from the truth, or an error of the person's own.
SOLUTION_ERRORS = frozenset({"relative_l2", "error"})


@cache
def error_metrics() -> frozenset[str]:
    """Return the names of the test metrics of which less is better."""
    of_forms = frozenset(name for form in forms().values() for name, more in form.metrics.items() if not more)
    return of_forms | SOLUTION_ERRORS
