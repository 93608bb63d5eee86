"""What the dashboard and the command line make of a run that a script recorded, and their newer downloads."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gradnorm.cli import main
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.config.variants import fork, labels
from gradnorm.runs.recorder import Recorder
from gradnorm.runs.store import CannotGoOnError, RunStore
from gradnorm.ui.live import wire
from gradnorm.ui.live.feed import Hub
from gradnorm.ui.live.routes import live_routes
from tests.factories import SPEC, evaluation, finished, step_records

TASKS = ("depth", "normals")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "home")


@pytest.fixture
def stopped(store) -> str:
    """A recorded run that was stopped: one that gradnorm had trained could go on."""
    with Recorder("my network", TASKS, steps=10, home=store.home) as recorder:
        recorder.log(losses=[1.0, 2.0], targets=[1.0, 1.0])
        recorder.evaluate([1.0, 2.0], metrics=[{"rmse": 1.0}, {"mean_angle": 20.0, "rmse": 2.0}])
        recorder.end("stopped")
    return recorder.run


def test_a_run_is_described_by_what_it_logged(store, stopped):
    hello = json.loads(wire.hello(store.info(stopped)))
    assert (hello["title"], hello["steps"], hello["has_targets"]) == ("my network", 10, True)
    assert hello["metrics"] == ["rmse", "mean_angle"]
    assert hello["task_metrics"] == ["rmse", "mean_angle"]
    assert "rmse" in hello["errors"]
    status = json.loads(wire.status(store.info(stopped), 5.0, {}))
    assert (status["step"], status["steps"], status["state"]) == (1, 10, "stopped")


def test_steps_that_are_not_known_are_not_told(store):
    with Recorder("endless", TASKS, home=store.home) as recorder:
        recorder.log(losses=[1.0, 2.0])
        recorder.flush()
        status = json.loads(wire.status(store.info(recorder.run), 5.0, {}))
        assert (status["steps"], status["seconds_left"]) == (None, None)
        assert json.loads(wire.hello(store.info(recorder.run)))["steps"] == 1
    assert store.info(recorder.run).total == 1


def test_a_viewer_is_told_what_the_run_measures_once_it_does(store):
    async def watched() -> list[dict]:
        told: list[dict] = []
        with Recorder("my network", TASKS, steps=3, home=store.home) as recorder:
            recorder.log(losses=[1.0, 2.0])
            recorder.evaluate([1.0, 2.0])
            recorder.flush()
            async with Hub(store).watch(recorder.run, 0) as (viewer, missed):
                told += [json.loads(message) for message in missed if isinstance(message, str)]
                recorder.log(losses=[1.0, 2.0])
                recorder.evaluate([1.0, 2.0], metrics=[{"rmse": 0.5}, {}])
                while not any(message["type"] == "evaluations" and len(message["rows"]) == 2 for message in told):
                    message = await asyncio.wait_for(viewer.queue.get(), 30)
                    told += [json.loads(message)] if isinstance(message, str) else []
        return told

    told = asyncio.run(watched())
    described = [message["metrics"] for message in told if message["type"] == "run"]
    assert described == [[], ["rmse"]]
    # All evaluations come again after it, since they are read by the newer description.
    last = [message for message in told if message["type"] in ("run", "evaluations")][-2:]
    assert [message["type"] for message in last] == ["run", "evaluations"]
    assert [row["step"] for row in last[1]["rows"]] == [1, 2]


def test_it_cannot_go_on_be_forked_or_parsed(store, stopped):
    with pytest.raises(CannotGoOnError, match="script has recorded"):
        store.requeue(stopped)
    spec = store.info(stopped).spec
    with pytest.raises(SpecError, match="Found that of 'my network', which a script recorded"):
        RunSpec.parse(spec)
    with pytest.raises(SpecError, match="script recorded"):
        fork({**spec, "steps": None}, {"alpha": 1.0})
    assert labels([spec]) == ["my network"]


@pytest.mark.parametrize("command", [["resume"], ["fork", "--at", "1"], ["export", "--format", "python"]])
def test_the_command_line_says_so_in_a_sentence(store, stopped, command, capsys):
    name, *options = command
    assert main([name, stopped, *options, "--home", str(store.home)]) == 2
    error = capsys.readouterr().err
    assert "recorded" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_its_records_are_exported(store, stopped, kind, tmp_path):
    out = tmp_path / "out"
    assert main(["export", stopped, "--format", kind, "--out", str(out), "--home", str(store.home)]) == 0
    assert "rmse" in out.read_text() if kind == "json" else "test_metric.depth.rmse" in out.read_text()


def test_events_want_a_folder(store, stopped, tmp_path, capsys):
    arguments = ["export", stopped, "--format", "tensorboard", "--home", str(store.home)]
    assert main(arguments) == 2
    assert "--out DIR" in capsys.readouterr().err
    assert main([*arguments, "--out", str(tmp_path / "events")]) == 0
    assert len(list((tmp_path / "events").iterdir())) == 1


def test_the_script_and_the_events_are_downloaded(store, stopped):
    run = store.create("trained", SPEC, ["task 1", "task 2"], queued=False)
    store.append(run, step_records(1, 5), [evaluation(5)], 1.0)
    store.end(run, finished(5))
    answer, events, refused = asyncio.run(
        _get(store, f"{run}/export/python", f"{run}/export/tensorboard", f"{stopped}/export/python")
    )
    assert answer.headers["content-disposition"] == f'attachment; filename="{run}.py"'
    compile(answer.text, "script", "exec")
    (name,) = zipfile.ZipFile(io.BytesIO(events.content)).namelist()
    assert name.startswith(f"{run}/events.out.tfevents")
    assert refused.status_code == 409
    assert "recorded" in refused.text


async def _get(store: RunStore, *paths: str) -> list[httpx.Response]:
    app = httpx.ASGITransport(Starlette(routes=live_routes(lambda: store)))
    async with httpx.AsyncClient(transport=app, base_url="http://test") as client:
        return [await client.get(f"/live/{path}") for path in paths]
