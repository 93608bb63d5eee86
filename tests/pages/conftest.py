"""Pages run without a browser, each test with a Lab and a home of its own."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from gradnorm.config.spec import RunSpec
from gradnorm.ui.lab import close, lab, studies
from tests.factories import ROOT, wait_for

PATIENCE = 60


def shown(element):
    """Return an element's text as Markdown shows it."""
    return re.sub(r"\\(.)", r"\1", element.value)


@pytest.fixture(scope="session", autouse=True)
def _loaded():
    """Import now what the Lab's thread would import: Python 3.11 can't parse in two threads at once, as jaxtyping's
    import hook then does ("AST constructor recursion depth mismatch")."""
    import gradnorm.training.engine  # noqa: F401


class Tab:
    """One browser tab, as far as AppTest goes."""

    def __init__(self, address: str = "", **query: str) -> None:
        self.at = AppTest.from_file(str(ROOT / "gradnorm" / "ui" / "main.py"), default_timeout=PATIENCE)
        for key, value in query.items():
            self.at.query_params[key] = value
        self.at.run()
        if address:
            self.open(address)
        self.check()

    def open(self, page: str) -> None:
        self.at.switch_page(f"../../pages/{page}.py").run()
        self.check()

    def check(self) -> None:
        assert not self.at.exception, [e.value for e in self.at.exception]

    def states(self):
        """What a browser would say of the widgets now."""
        return self.at._tree.get_widget_states()

    def rerun(self, states=None) -> None:
        """Run the page again. states: what the browser says, where that is older than the page."""
        self.at._run(states)
        self.check()

    def set(self, kind: str, key: str, value) -> None:
        """Use a widget: its kind as in `st.…`, its key, its new value."""
        self.widget(kind, key).set_value(value).run()
        self.check()

    def widget(self, kind: str, key: str):
        """Return a widget by its key, less the turn that a widget made anew has in it."""
        return next(
            found
            for found in getattr(self.at, kind)
            if key in (found.key, re.sub(r"(?<=:)([a-z_]+) \d+$", r"\1", found.key or ""))
        )

    def press(self, key: str) -> None:
        self._button(key).click().run()
        self.check()

    def _button(self, key: str):
        """Return a button; that to start has a key of its own while a run trains."""
        return next(button for button in self.at.button if button.key.split(" 20")[0] == key)

    def start_race(self) -> None:
        # Its key names the watched run.
        (button,) = [button for button in self.at.button if button.label == "Start race"]
        self.press(button.key)

    def enabled(self) -> set[str]:
        """The run bar's buttons that can be pressed."""
        keys = ("start", "pause", "step", "stop", "reset")
        return {key for button in self.at.button if (key := button.key.split(" 20")[0]) in keys and not button.disabled}

    @property
    def query(self) -> dict[str, str]:
        """What the address holds; that of a page just opened is written by the browser, which is not here."""
        added = [
            part.proto for part in self.at.get("bidi_component") if part.proto.component_name == "gradnorm_address"
        ]
        if added:
            return dict(parse_qsl(json.loads(added[0].json)["query"]))
        found = {}
        for key, value in dict(self.at.query_params).items():
            found[key] = value[0] if isinstance(value, list) else value
        return found

    @property
    def spec(self) -> RunSpec:
        """The settings as the address gives them."""
        return RunSpec.parse({key: value for key, value in self.query.items() if key != "run"})

    @property
    def errors(self) -> list[str]:
        return [shown(error) for error in self.at.error]

    def wait_until(self, *states: str):
        """Wait until the watched run is in one of these states; return it."""
        run = self.query["run"]

        def there():
            info = lab().store.info(run)
            return info if info.state in states else None

        info = wait_for(there, PATIENCE)
        self.rerun()
        return info


@pytest.fixture(autouse=True)
def _own_lab(home):
    studies.cache_clear()
    lab.cache_clear()
    yield
    lab()  # a test may have left none to be closed
    close()
    lab().store.close()
    studies.cache_clear()
    lab.cache_clear()


@pytest.fixture
def tab():
    """Open a tab: at the Playground with nothing in its address, unless told otherwise."""
    return Tab


@pytest.fixture
def tick(monkeypatch):
    """Tick rows of the list of runs: AppTest draws tables but cannot change what is in them."""
    from gradnorm.ui.runs import table

    draw = table.st.data_editor
    ticked: list[int] = []

    def data_editor(data, **options):
        draw(data, **options)
        return data.assign(**{table.TICK: [row in ticked for row in range(len(data))]})

    monkeypatch.setattr(table.st, "data_editor", data_editor)

    def choose(*rows: int) -> None:
        ticked[:] = rows

    return choose
