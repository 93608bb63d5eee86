"""Benchmarks are found by name."""

import json
import sys

import pytest

import benchmarks
from gradnorm.cli import main


@pytest.mark.parametrize("name", benchmarks.NAMED)
def test_each_is_a_module_with_run(name):
    module = pytest.importorskip(f"benchmarks.{name}")
    assert callable(module.run)


def test_the_command_writes_what_it_returns(monkeypatch, tmp_path, capsys):
    module = type(sys)("benchmarks.peers")
    module.run = lambda: {"benchmark": "peers", "results": {"ratio": float("nan")}}
    monkeypatch.setitem(sys.modules, "benchmarks.peers", module)
    assert main(["bench", "peers", "--json", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text()) == {"benchmark": "peers", "results": {"ratio": None}}
    assert main(["bench", "peers"]) == 0
    assert json.loads(capsys.readouterr().out)["benchmark"] == "peers"


def test_a_result_that_could_not_be_written_is_said_before_the_work(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(benchmarks, "measure", lambda name: pytest.fail("measured"))
    assert main(["bench", "peers", "--json", str(tmp_path / "missing" / "out.json")]) == 2
    assert "missing" in capsys.readouterr().err


def test_an_unknown_one_is_bad_usage(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "speed"])
    assert "invalid choice: 'speed'" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "viewers", "said"), [("peers", "300", "streaming"), ("streaming", "1", "2 or more")])
def test_viewers_are_those_of_streaming(name, viewers, said, capsys):
    assert main(["bench", name, "--viewers", viewers]) == 2
    assert said in capsys.readouterr().err
