"""The paper's tables from the command line, at a size that a test can wait for."""

import json
import subprocess
import sys

import pytest

from gradnorm.cli import main
from tests.factories import ROOT

pytestmark = pytest.mark.slow

TINY = ["--size", "32", "--steps", "2", "--batch-size", "2", "--channels", "0.0625", "--seeds", "1"]
ALONE = ["classes alone", "depth alone", "normals alone"]
METHODS = ["Equal weights", "Uncertainty weighting", "Dynamic weight average (DWA)", "GradNorm α 1.5"]


def test_table_1_on_rendered_rooms(tmp_path):
    command = [sys.executable, "-m", "gradnorm", "table1", *TINY, "--count", "8", "--home", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    lines = done.stdout.splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| ")]
    assert [row[0].removeprefix("| ") for row in rows] == ["method", *ALONE, *METHODS, "GradNorm α 1.5, Static"]
    heads = ["classes iou_error ↓", "depth rmse ↓", "normals cosine_error ↓", "Δm % |"]
    assert rows[0][1:] == heads
    assert [row[-1] for row in rows[1:4]] == ["– |"] * 3
    assert all(row[-1][0] in "+-" for row in rows[4:]), done.stdout
    assert "Rooms (rendered), 32 × 32 pixels; segnet with 0.0625 × the paper's channels; 2 steps" in lines[1]
    assert "not NYUv2" in lines[2]


def test_table_2_of_a_file_in_nyuv2_s_layout(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # So that what the command line sets for itself is taken back.
    monkeypatch.setenv("GRADNORM_DATA", "")
    monkeypatch.delenv("GRADNORM_DATA")
    made = ["data", "rooms", "--count", "6", "--size", "96x128", "--out", "rooms.mat", "--layouts", "layouts.npy"]
    assert main(made) == 0
    capsys.readouterr()
    given = ["--data", "nyuv2:rooms.mat", "--layout-file", "layouts.npy", "--methods", "equal,gradnorm:alpha=0.5"]
    assert main(["table2", *TINY, *given, "--home", str(tmp_path / "home"), "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tasks"] == ["depth", "normals", "keypoints"]
    assert (told["state"], told["ended"], told["runs"]) == ("finished", 6, 6)
    assert "resnet_fcn" in told["setting"]
    assert [row["runs"] for row in told["rows"]] == [1] * 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table1", "--data", "nyuv2:nowhere.mat"], "There should be a file or folder 'nowhere.mat'"),
        (["table2", "--data", "mtan:."], "learn_keypoints should be an option of data set 'mtan'"),
        (["table1", "--methods", "best"], "should be one of"),
    ],
)
def test_what_is_wrong_is_told_before_there_is_a_study(tmp_path, capsys, arguments, message):
    assert main([*arguments, "--home", str(tmp_path / "home")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
