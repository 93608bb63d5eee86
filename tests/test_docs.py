"""The documentation still tells the truth about the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = re.findall(r"\| `(gradnorm/[^`]+)` \| `([^`]+)` \|", (ROOT / "docs" / "algorithm.md").read_text())


@pytest.mark.parametrize(("file", "line"), ROWS)
def test_each_equation_s_line_is_where_the_table_says(file, line):
    lines = {text.strip() for text in (ROOT / file).read_text().splitlines()}
    assert line in lines


def test_the_table_has_all_equations():
    assert len(ROWS) >= 9


@pytest.mark.parametrize("page", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def loop_of_the_readme(place, tasks):
    """Run the README's loop of that place on a small network; return its names."""
    code = re.findall(r"```python\n(from gradnorm.*?)```", (ROOT / "README.md").read_text(), re.S)[place]
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.last_shared_layer = nn.Linear(3, 4)
            self.heads = nn.ModuleList(nn.Linear(4, 1) for _ in range(tasks))

        def forward(self, x):
            return [head(self.last_shared_layer(x).relu()) for head in self.heads]

    model = Model()
    names = {
        "model": model,
        "loader": [(torch.randn(8, 3), torch.randn(tasks, 8, 1)) for _ in range(3)],
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.01),
        "loss": nn.functional.mse_loss,
        "evaluate": lambda model: ([0.8, 0.3], [{"rmse": 0.9}, {"angle_mean": 24.0}]),
    }
    exec(code, names)
    assert names["balance"].weights.sum().item() == pytest.approx(tasks)
    return names


def test_the_readme_s_loop_runs():
    loop_of_the_readme(0, 3)


def test_the_readme_s_recorded_loop_runs(store):
    run = loop_of_the_readme(1, 2)["recorder"].run
    snapshot = store.read(run)
    assert (snapshot.info.state, len(snapshot.rows), snapshot.info.tasks) == ("finished", 3, ("depth", "normals"))
    assert snapshot.evaluations[0].metrics[0] == {"rmse": 0.9}


def rooms_of_the_document():
    """Return the folders that the tree in architecture.md draws, each with its line."""
    tree = re.search(r"## Rooms\n\n```\n(.*?)```", (ROOT / "docs" / "architecture.md").read_text(), re.S)[1]
    parents, rooms = [], {}
    for indent, name, line in re.findall(r"^( *)([\w.]+)/ *(.*)$", tree, re.M):
        parents = [*parents[: len(indent) // 2], name]
        rooms["/".join(parents)] = line
    return rooms


def test_the_architecture_draws_every_room_two_levels_deep_with_a_line_each():
    folders = [path.parent.relative_to(ROOT) for path in (ROOT / "gradnorm").rglob("__init__.py")]
    there = {folder.as_posix() for folder in folders if len(folder.parts) <= 3}
    drawn = {room: line for room, line in rooms_of_the_document().items() if room.startswith("gradnorm")}
    assert set(drawn) == there
    assert all(line for room, line in drawn.items() if room != "gradnorm")


def test_the_top_level_of_the_package_holds_rooms_only():
    modules = {path.name for path in (ROOT / "gradnorm").glob("*.py")}
    assert modules == {"__init__.py", "__main__.py"}
