"""A page that is used before all of it is there."""

from __future__ import annotations

import time

from tests.browser.playground import PATIENCE


def test_start_may_be_pressed_before_the_panel_s_script_has_come(server, open_page):
    page = open_page.page()

    def late(route) -> None:
        time.sleep(2)
        route.continue_()

    page.route("**/live/static/*/live/chart.js", late)
    page.goto(f"{server.url}/")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_function(
        "() => Number(document.querySelector('[data-testid=live-panel]')?.dataset.step) > 0", timeout=PATIENCE
    )
