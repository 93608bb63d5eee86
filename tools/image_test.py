#!/usr/bin/env python3
"""Build the Dockerfile for real and run its image, without a container engine or a registry.

usage: sudo tools/image_test.py [CONTEXT]        (CONTEXT: the repository root unless given)

The base image is made by debootstrap, the image is built and run by buildah in chroot isolation.
Both are kept under ${XDG_CACHE_HOME:-~/.cache}/gradnorm-image; delete that folder to start afresh.
"""

import ast
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradnorm-image"
LOG = CACHE / "last.log"
BASE, IMAGE = "localhost/gradnorm-base:bookworm", "localhost/gradnorm:image-test"
UID = 10001
HEALTHY_WITHIN, STOPPED_WITHIN = 120, 10  # seconds; 10 is what `docker stop` waits before it kills

BUILDAH = ["buildah"]  # main adds where images are stored
CHROOT = ["--isolation", "chroot"]


class Failed(Exception):
    """What should be, what was found, what to do."""


def say(text):
    print(text, flush=True)


def run(*command, check=True):
    """Run a command, keep its output in the log, and return it."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    with LOG.open("a") as log:
        log.write(f"$ {' '.join(map(str, command))}\n{done.stdout}\n")
    if check and done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise Failed(f"{' '.join(command[:8])} … should end with 0, ended with {done.returncode}; see {LOG}\n{tail}")
    return done


def buildah(*args, check=True):
    return run(*BUILDAH, *args, check=check)


def install_tools():
    wanted = {"buildah": "buildah", "debootstrap": "debootstrap"}
    missing = [package for tool, package in wanted.items() if not shutil.which(tool)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Failed(f"{', '.join(missing)} should be installed, not found, and there is no apt-get; install by hand")
    say(f"installing {' '.join(missing)}")
    run("apt-get", "update")
    run("apt-get", "install", "-y", "--no-install-recommends", *missing, "debian-archive-keyring")


def storage():
    """Options for images kept in the cache: as overlays if the file system can, else (slow, large) as full copies."""
    for driver, *options in ("overlay", "--storage-opt", "overlay.skip_mount_home=true"), ("vfs",):
        place = ["--storage-driver", driver, *options, "--root", f"{CACHE}/{driver}", "--runroot", f"{CACHE}/{driver}-run"]
        tried = run("buildah", *place, "images", check=False)
        if tried.returncode == 0:
            return place
    raise Failed(f"buildah should be able to store images in {CACHE}, said: {tried.stdout}; set XDG_CACHE_HOME elsewhere")


def mirror():
    """The Debian mirror that this machine's own apt uses for bookworm, else Debian's."""
    if shutil.which("apt-get"):
        form = "$(RELEASE) $(COMPONENT) $(REPO_URI)"
        for line in run("apt-get", "indextargets", "--format", form, "Created-By: Packages", check=False).stdout.splitlines():
            match line.split():
                case ["bookworm", "main", uri]:
                    return uri
    return "http://deb.debian.org/debian"


def make_base():
    if buildah("inspect", "--type", "image", BASE, check=False).returncode == 0:
        return say("base: kept from an earlier run")
    start = time.monotonic()
    container = buildah("from", "scratch").stdout.strip()
    try:
        root = Path(buildah("mount", container).stdout.strip())
        run("debootstrap", "--variant=minbase", "--include=python3,python3-venv", "bookworm", str(root), mirror())
        for folder in "var/cache/apt/archives", "var/lib/apt/lists":
            shutil.rmtree(root / folder)
            (root / folder).mkdir()
        buildah("umount", container)
        buildah("commit", container, BASE)
    finally:
        buildah("rm", container, check=False)
    say(f"base: made by debootstrap in {time.monotonic() - start:.0f} s")


def pip_mounts(folder):
    """Bind mounts that let pip in the build find packages where this machine's pip finds them."""
    wanted = "index-url extra-index-url find-links no-index trusted-host cert client-cert proxy timeout default-timeout retries"
    listed = run(sys.executable, "-m", "pip", "config", "list", check=False).stdout
    options, paths = {}, set()
    for name, value in re.findall(r"^(?:global|install|:env:)\.([\w-]+)=(.+)$", listed, re.M):  # pip lists the environment last
        if name in wanted.split():
            options[name] = " ".join(ast.literal_eval(value).split())
    for name, value in options.items():
        for word in value.split():
            path = Path(word.removeprefix("file://"))
            if path.is_absolute() and path.exists():
                # The pages of a local index link to files beside it.
                paths.add(path.parent if "index-url" in name else path)
    config = Path(folder, "pip.conf")
    config.write_text("\n".join(["[global]", *(f"{name} = {value}" for name, value in options.items())]) + "\n")
    mounts = {f"{path}:{path}:ro" for path in paths} | {f"{config}:/etc/pip.conf:ro"}
    return [part for mount in sorted(mounts) for part in ("--volume", mount)]


def torch_index(context):
    """Leave the Dockerfile's index of torch out where it is out of reach, as pip would retry it for minutes."""
    url = re.search(r"^ARG TORCH_INDEX=(\S+)", (context / "Dockerfile").read_text(), re.M).group(1)
    try:
        urllib.request.urlopen(f"{url}/torch/", timeout=15).close()
        return []
    except OSError as error:
        say(f"torch: from pip's own configuration, as {url} is out of reach ({error})")
        return ["--build-arg", "TORCH_INDEX="]


def build(context):
    start = time.monotonic()
    old = buildah("images", "--quiet", "--no-trunc", IMAGE, check=False).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        buildah(
            "bud", *CHROOT, "--layers", "--pull=never", "--format", "docker",  # the OCI format has no HEALTHCHECK
            "--build-arg", f"BASE_IMAGE={BASE}", *torch_index(context), *pip_mounts(folder), "--tag", IMAGE, str(context),
        )  # fmt: skip
    new = buildah("images", "--quiet", "--no-trunc", IMAGE).stdout.strip()
    if old.startswith("sha256:") and old != new:
        buildah("rmi", old, check=False)
    say(f"built in {time.monotonic() - start:.0f} s")


def processes(parent):
    """The process ids below a process, nearest first."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            children.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
        except (OSError, ValueError):  # ended meanwhile
            pass
    found, level = [], [parent]
    while level:
        level = [child for pid in level for child in children.get(pid, [])]
        found += level
    return found


def status(pid):
    """The fields of /proc/PID/status; none once the process has ended."""
    try:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    except OSError:
        return {}
    return {} if fields["State"].split()[0] in "ZX" else fields


def alive(pids):
    return [pid for pid in pids if status(pid)]


def own_processes(parent):
    """The service's processes: those below buildah's own."""
    return [pid for pid in alive(processes(parent)) if Path(f"/proc/{pid}/exe").resolve().name != "buildah"]


def check_files(container):
    listing = buildah("run", *CHROOT, container, "--", "ls", "-A", "/app").stdout.split()
    stray = {".git", ".venv", "runs", "tests", "tools", "benchmarks"} & set(listing)
    if stray or not {"app.py", "gradnorm"} <= set(listing):
        raise Failed(f"/app should hold app.py and gradnorm/ but no {sorted(stray)}, holds {listing}; see .dockerignore")
    say(f"files in /app: {' '.join(listing)}")

    # What every Linux lets anyone write, and what the chroot borrows from this machine.
    apart = "/proc /sys /dev /tmp /var/tmp /run/lock /data".split()
    prune = " -o ".join(f"-path {path}" for path in apart)
    script = f"""
        id -u
        find / -xdev \\( {prune} \\) -prune -o ! -type l -writable -print 2>/dev/null
        touch /app/new 2>/dev/null && echo /app/new
        touch /data/new && rm /data/new && echo data is writable
    """
    first, *found = buildah("run", *CHROOT, container, "--", "sh", "-c", script).stdout.split("\n")
    found = [line for line in found if line]
    if first != str(UID) or found != ["data is writable"]:
        raise Failed(f"user {UID} should be able to write in /data only; as user {first} found {found[:20]}; see Dockerfile")
    say("writable: /data, nothing else")


def check_service(container, config):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = ["--env", "GRADNORM_ADDRESS=127.0.0.1", "--env", f"GRADNORM_PORT={port}"]  # the chroot shares the network
    kind, *test = config["Healthcheck"]["Test"]
    test = ["/bin/sh", "-c", *test] if kind == "CMD-SHELL" else test

    def healthy():
        return buildah("run", *CHROOT, *place, container, "--", *test, check=False).returncode == 0

    if healthy():
        raise Failed(f"the health check should fail while nothing listens on port {port}, it succeeded; see HEALTHCHECK")
    say("health check fails while nothing runs")

    start = time.monotonic()
    with LOG.open("a") as log:
        command = [*BUILDAH, "run", *CHROOT, *place, container, "--", *config["Cmd"]]
        server = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        while not healthy():
            if server.poll() is not None:
                raise Failed(f"{config['Cmd']} should keep running, ended with {server.returncode}; see the end of {LOG}")
            if time.monotonic() - start > HEALTHY_WITHIN:
                raise Failed(f"should be healthy within {HEALTHY_WITHIN} s, is not; see the end of {LOG}")
            time.sleep(1)
        took = time.monotonic() - start

        own = own_processes(server.pid)
        users = {tuple(map(int, status(pid)["Uid"].split())) for pid in own}
        rights = {int(status(pid)["CapEff"], 16) for pid in own}
        if users != {(UID,) * 4} or rights != {0}:
            raise Failed(f"the service should run as user {UID} without capabilities, runs as {users} with {rights}; see USER")
        command = Path(f"/proc/{own[0]}/cmdline").read_text().replace("\0", " ")
        say(f"user {UID} without capabilities, process {own[0]} of {len(own)}: {command}")
        say(f"healthy after {took:.0f} s on 127.0.0.1:{port}")

        start = time.monotonic()
        os.kill(own[0], signal.SIGTERM)
        while (left := alive(own)) and time.monotonic() - start < STOPPED_WITHIN:
            time.sleep(0.1)
        if left:
            raise Failed(f"SIGTERM should end the service within {STOPPED_WITHIN} s, {left} still run; handle it in `gradnorm dashboard`")
        took = time.monotonic() - start
        server.wait(STOPPED_WITHIN)
        if healthy():
            raise Failed(f"nothing should listen on port {port} once stopped, something does")
        say(f"stopped by SIGTERM after {took:.1f} s, exit status {server.returncode}")
    finally:
        for pid in [*own_processes(server.pid), server.pid] if server.poll() is None else []:
            os.kill(pid, signal.SIGKILL)
        server.wait()


def main():
    context = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()
    if os.geteuid():
        raise Failed(f"should run as root (buildah's chroot isolation needs it), runs as user {os.geteuid()}; use sudo")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))
    CACHE.mkdir(parents=True, exist_ok=True)
    LOG.write_text("")
    start = time.monotonic()
    install_tools()
    BUILDAH.extend(storage())
    make_base()
    build(context)
    config = json.loads(buildah("inspect", "--type", "image", IMAGE).stdout)["Docker"]["config"]
    container = buildah("from", "--pull-never", IMAGE).stdout.strip()
    try:
        check_files(container)
        check_service(container, config)
    finally:
        buildah("rm", container, check=False)
    say(f"image test passed in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit(f"image test failed: {error}")
