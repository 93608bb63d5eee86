"""The examples in the library's docstrings run, and print what they say."""

import doctest
from importlib import import_module
from pkgutil import iter_modules

import pytest

import gradnorm

ROOMS = ("gradnorm.methods", "gradnorm.balancer", "gradnorm.gradients", "gradnorm.common", "gradnorm.config")
MODULES = [f"{room}.{module.name}" for room in ROOMS for module in iter_modules(import_module(room).__path__)]
MODULES += [
    "gradnorm.runs.recorder",
    "gradnorm.training.engine",
    "gradnorm.training.together",
    "gradnorm.training.control",
]


def examples(target, name):
    """Return the doctests of a module, class or function that have an example."""
    return [test for test in doctest.DocTestFinder(exclude_empty=True).find(target, name) if test.examples]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Let an example write its runs to a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADNORM_HOME", str(tmp_path / "runs"))


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(module):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    printed = []
    for test in examples(import_module(module), module):
        runner.run(test, out=printed.append)
    assert runner.failures == 0, "".join(printed)


def test_every_public_name_of_the_library_has_an_example():
    without = {name for name in gradnorm.__all__ if not examples(getattr(gradnorm, name), name)}
    assert not without


@pytest.mark.parametrize("method", ["backward", "retune", "state_dict", "load_state_dict", "inherit"])
def test_every_method_that_a_user_calls_has_an_example(method):
    assert examples(getattr(gradnorm.Balancer, method), method)
