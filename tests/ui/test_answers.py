"""The route that says what a run's network answers after a checkpoint."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from starlette.applications import Starlette

from gradnorm.config.spec import RunSpec
from gradnorm.runs.records import Checkpoint
from gradnorm.training.control import Control
from gradnorm.training.engine import train
from gradnorm.ui.live.routes import live_routes
from tests.factories import TINY

SPEC = RunSpec.parse({**TINY, "checkpoint_every": 1})


@pytest.fixture
def trained(store):
    run = store.create(SPEC.title, SPEC.flat(), SPEC.dataset.task_names, queued=False)
    for item in train(SPEC, Control()):
        if isinstance(item, Checkpoint):
            store.checkpoints.write(run, item)
    return run


@pytest.fixture
def get(store):
    transport = httpx.ASGITransport(Starlette(routes=live_routes(lambda: store)))

    async def asked(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(path)

    return lambda path: asyncio.run(asked(path))


def test_curves_of_a_checkpoint_are_told(store, trained, get):
    newest = store.checkpoints.steps(trained)[-1]
    answer = get(f"/live/{trained}/answers/{newest}")
    assert answer.status_code == 200
    told = json.loads(answer.text)
    assert (told["step"], told["kind"], len(told["curves"])) == (newest, "curves", len(SPEC.dataset.task_names))
    assert get(f"/live/{trained}/answers/{newest}").text == answer.text


def test_what_is_not_there_is_one_sentence(store, trained, get):
    assert get(f"/live/{trained}/answers/99999").status_code == 204
    answer = get("/live/nope/answers/1")
    assert answer.status_code == 404
    assert "no run" in answer.text.lower()
    maps = RunSpec.parse({"dataset": "rooms"})
    run = store.create(maps.title, maps.flat(), maps.dataset.task_names, queued=False)
    assert "See the Gallery" in get(f"/live/{run}/answers/1").text
    mine = store.create("mine", {"recorded": "mine"}, ["a"], queued=False)
    assert get(f"/live/{mine}/answers/1").status_code == 404
