"""What compose.yaml comes to, and that the server lives with it: a read-only root, no capabilities, few processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from tests.factories import ROOT, wait_for

SERVICES = ("dashboard", "dashboard-gpu")


def effective(service, **environment):
    """Return a service as an engine reads it: variables are `${NAME:-if unset or empty}` or `${NAME-if unset}`."""

    def value(match):
        name, operator, default = match.groups()
        found = environment.get(name)
        return default if found is None or (operator == ":-" and not found) else found

    text = re.sub(r"\$\{(\w+)(:?-)([^}]*)\}", value, (ROOT / "compose.yaml").read_text())
    assert "${" not in text
    return yaml.safe_load(text)["services"][service]


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_published_on_loopback_unless_told_otherwise(service):
    assert effective(service)["ports"] == ["127.0.0.1:8501:8501"]
    told = effective(service, GRADNORM_ADDRESS="0.0.0.0", GRADNORM_PORT="80")
    assert told["ports"] == ["0.0.0.0:80:8501"]


@pytest.mark.parametrize("service", SERVICES)
def test_it_answers_to_the_names_of_loopback_unless_told_otherwise(service):
    assert "GRADNORM_HOSTS=localhost" in effective(service)["environment"]
    assert "GRADNORM_HOSTS=lab.example" in effective(service, GRADNORM_HOSTS="lab.example")["environment"]
    assert "GRADNORM_HOSTS=" in effective(service, GRADNORM_HOSTS="")["environment"]


@pytest.mark.parametrize("service", SERVICES)
def test_it_has_no_more_than_it_needs(service):
    found = effective(service)
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert "cap_add" not in found
    assert "privileged" not in found
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert [mount.partition(":")[0] for mount in found["tmpfs"]] == ["/tmp"]
    assert [volume for volume in found["volumes"] if not volume.endswith(":ro")] == ["runs:/data"]
    assert found["mem_limit"] == "8g"
    assert effective(service, GRADNORM_MEMORY="3")["mem_limit"] == "3g"
    assert 64 <= found["pids_limit"] <= 1024


# Everything is read-only but /tmp, which is new and empty, and the folder of the runs.
CONFINED = """
set -e
mount --bind "$1" /mnt
mount -t tmpfs -o size=256m,mode=1777 tmpfs /tmp
mount -o remount,bind,ro /
shift
exec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs "$@"
"""
TRY = """
import json, os
from pathlib import Path
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
def writable(folder):
    try:
        Path(folder, "new").touch()
    except OSError as error:
        return False
    Path(folder, "new").unlink()
    return True
told = [status["CapBnd"].strip(), status["NoNewPrivs"].strip()]
print(json.dumps([*told, *(writable(folder) for folder in ("/", "/var/tmp", os.getcwd(), "/tmp", "/mnt"))]))
"""


def confined(folder, *command):
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", CONFINED, "sh", str(folder), *command]


needs_namespaces = pytest.mark.skipif(
    not (shutil.which("unshare") and shutil.which("setpriv"))
    or subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0,
    reason="this machine lets nobody make a mount namespace",
)


@needs_namespaces
@pytest.mark.slow
def test_the_server_trains_with_a_read_only_root_and_no_capabilities(tmp_path):
    tried = subprocess.run(confined(tmp_path, sys.executable, "-c", TRY), check=True, capture_output=True, cwd=ROOT)
    assert json.loads(tried.stdout) == ["0000000000000000", "1", False, False, False, True, True]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    environment = {**os.environ, "GRADNORM_HOME": "/mnt", "HOME": "/mnt"}
    train = ["train", "--preset", "toy-2", "--steps", "20"]
    done = subprocess.run(
        confined(tmp_path, sys.executable, "-m", "gradnorm", *train),
        check=False, capture_output=True, text=True, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    command = confined(tmp_path, sys.executable, "-m", "gradnorm", "dashboard", "--port", str(port))
    log = tmp_path / "log"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/live/health"))
        assert answers(f"http://127.0.0.1:{port}/")
        # Torch has been loaded by then, with the threads that it makes.
        process = Path(f"/proc/{server.pid}")
        wait_for(lambda: "libtorch" in (process / "maps").read_text())
        assert len(list((process / "task").iterdir())) < effective("dashboard")["pids_limit"] / 2
    finally:
        server.terminate()
        server.wait(60)
    assert "Traceback" not in log.read_text()
    assert (tmp_path / "gradnorm.db").exists()


def answers(url):
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
