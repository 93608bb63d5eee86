"""What a visitor does is taken whole: the callback of a widget runs to its end."""

from __future__ import annotations

from functools import wraps

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState

_YIELD = "_maybe_handle_execution_control_request"


def let_callbacks_finish() -> None:
    """Have Streamlit look for further requests of a browser only when it calls no callback.

    Streamlit 1.67 looks whenever something is sent to the browser, as a toast or an address is. In a callback that
    ends the callback, and the request is put behind those that come meanwhile: what it says of the widgets, though
    older, then holds. A press would be lost, and the slider would show what the server does not know.
    """
    look = getattr(ScriptRunner, _YIELD)
    if hasattr(look, "__wrapped__"):
        return

    @wraps(look)
    def outside_callbacks(runner: ScriptRunner) -> None:
        if ThreadState.get().run_location is not RunLocation.CALLBACK:
            look(runner)

    setattr(ScriptRunner, _YIELD, outside_callbacks)
