"""Where data files may be read: nothing outside of the root, however it is named."""

import os

import pytest

from gradnorm.datasets.by_path.mtan import MTAN
from gradnorm.datasets.by_path.mtfl import Mtfl
from gradnorm.datasets.by_path.nyuv2 import NYUv2
from gradnorm.datasets.readers.folders import DataError, allowed, data_root


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.npy"
    path.write_text("secret")
    return path


def test_files_and_folders_below_the_root_are_found(data):
    (data / "sub").mkdir()
    (data / "sub" / "a.npy").touch()
    assert allowed("sub/a.npy") == allowed(str(data / "sub" / "a.npy")) == (data / "sub" / "a.npy").resolve()
    assert allowed("sub") == (data / "sub").resolve()
    assert allowed("sub/../sub/a.npy").name == "a.npy"


def test_without_the_environment_the_root_is_data(monkeypatch, tmp_path):
    monkeypatch.delenv("GRADNORM_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert data_root() == (tmp_path / "data").resolve()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").touch()
    assert allowed("a") == (tmp_path / "data" / "a").resolve()


@pytest.mark.parametrize("path", ["../secret.npy", "/etc/passwd", "sub/../../secret.npy", "..", ""])
def test_what_lies_outside_is_refused(data, secret, path):
    with pytest.raises(DataError, match="should lie below"):
        allowed(path)


def test_links_that_lead_out_are_refused_and_those_inside_followed(data, secret):
    (data / "out").symlink_to(secret)
    (data / "folder").symlink_to(secret.parent)
    (data / "real").touch()
    (data / "inside").symlink_to(data / "real")
    for path in ("out", "folder/secret.npy", "folder"):
        with pytest.raises(DataError, match="should lie below"):
            allowed(path)
    assert allowed("inside").name == "real"


def test_whether_something_exists_outside_is_not_told(data, secret):
    messages = []
    for name in ("secret.npy", "nothing.npy"):
        with pytest.raises(DataError) as error:
            allowed(f"../{name}")
        messages.append(str(error.value).replace(name, ""))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("path", ["missing", "a\0b", "x" * 5000, "loop", "pipe"])
def test_what_is_no_file_is_refused(data, path):
    (data / "loop").symlink_to(data / "loop")
    os.mkfifo(data / "pipe")
    with pytest.raises(DataError, match="should be at"):
        allowed(path)


def test_uploads_have_a_root_of_their_own(home, data, secret):
    folder = home / "uploads" / "abc"
    folder.mkdir(parents=True)
    (folder / "table.csv").touch()
    (home / "runs.db").touch()
    assert allowed("upload:abc/table.csv", uploads=True) == (folder / "table.csv").resolve()
    for path in ("upload:../runs.db", f"upload:{secret}", "upload:", "upload:abc/../../runs.db"):
        with pytest.raises(DataError, match="Upload it once more"):
            allowed(path, uploads=True)
    with pytest.raises(DataError, match="Found no such file"):
        allowed("upload:abc/other.csv", uploads=True)


def test_uploads_are_for_readers_in_a_process_of_their_own_alone(home, data):
    folder = home / "uploads" / "abc"
    folder.mkdir(parents=True)
    (folder / "table.csv").touch()
    for dataset in (NYUv2(path="upload:abc/table.csv"), MTAN(path="upload:abc"), Mtfl(path="upload:abc")):
        with pytest.raises(DataError, match=r"should lie below .* Found an upload"):
            dataset.load(0)
