"""The examples in the docstrings of what a user calls."""

from __future__ import annotations

import doctest

import pytest

from gradnorm.runs import knobs, recorder, store


@pytest.mark.parametrize("module", [knobs, recorder, store], ids=lambda module: module.__name__)
def test_examples_print_what_they_say(module):
    ran = doctest.testmod(module)
    assert ran.attempted >= 2
    assert ran.failed == 0
