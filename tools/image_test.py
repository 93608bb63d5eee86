#!/usr/bin/env python3
"""Build the Dockerfile for real and run its image, without a container engine or a registry.

usage: tools/image_test.py [CONTEXT]    as root; CONTEXT is the repository root unless given

debootstrap makes the base image; buildah builds the image and runs it, both in a chroot.
Base and layers are kept under ${XDG_CACHE_HOME:-~/.cache}/gradnorm-image; delete that to start afresh.
"""

import ast
import contextlib
import fcntl
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

import psutil

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradnorm-image"
LOG = CACHE / "last.log"
BASE, IMAGE = "localhost/gradnorm-base:bookworm", "localhost/gradnorm:image-test"
UID = 10001
HEALTHY_WITHIN, STOPPED_WITHIN = 120, 10  # seconds; 10 is what `docker stop` waits before it kills
PACKAGE_SOURCES = (
    "index-url extra-index-url find-links no-index trusted-host cert client-cert proxy timeout default-timeout retries"
)
CHROOT = ["--isolation", "chroot"]
BUILDAH = ["buildah"]  # main() adds where the images are


class ImageTestError(Exception):
    """Says what should be, what was found, and what to do."""


def say(text):
    """Print one line at once."""
    print(text, flush=True)


def run(*command, check=True):
    """Run a command, log its output, and return it."""
    done = subprocess.run(
        command,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with LOG.open("a") as log:
        log.write(f"$ {' '.join(command)}\n{done.stdout}\n")
    if check and done.returncode:
        end = "\n".join(done.stdout.splitlines()[-25:])
        raise ImageTestError(f"{command[0]} should end with 0, ended with {done.returncode}; see {LOG}\n{end}")
    return done


def buildah(*args, check=True):
    """Run buildah on the images of this test."""
    return run(*BUILDAH, *args, check=check)


def install_tools():
    """Install what is missing of buildah and debootstrap."""
    missing = [tool for tool in ("buildah", "debootstrap") if not shutil.which(tool)]
    if missing and not shutil.which("apt-get"):
        raise ImageTestError(f"buildah and debootstrap should be here, {missing} not found; install by hand")
    if missing:
        say(f"installing {' and '.join(missing)}")
        run("apt-get", "update")
        run("apt-get", "install", "-y", "--no-install-recommends", *missing, "debian-archive-keyring")


def storage():
    """Choose where images are kept: as overlays where the file system can, else as (slow, large) copies."""
    for driver, *more in ("overlay", "--storage-opt", "overlay.skip_mount_home=true"), ("vfs",):
        root = CACHE / driver
        options = ["--storage-driver", driver, *more, "--root", f"{root}", "--runroot", f"{root}-run"]
        tried = run("buildah", *options, "images", check=False)
        if tried.returncode == 0:
            return options
    raise ImageTestError(f"buildah should be able to keep images in {CACHE}, said: {tried.stdout}; see buildah(1)")


def mirror():
    """Find the Debian mirror that this machine's apt uses for bookworm, else name Debian's own."""
    if shutil.which("apt-get"):
        fields = "$(RELEASE) $(COMPONENT) $(REPO_URI)"
        listed = run("apt-get", "indextargets", "--format", fields, "Created-By: Packages", check=False).stdout
        if found := re.search(r"^bookworm main (\S+)$", listed, re.M):
            return found[1]
    return "http://deb.debian.org/debian"


def make_base():
    """Make the base image: a minimal Debian with Python, as the Dockerfile's BASE_IMAGE."""
    if buildah("inspect", "--type", "image", BASE, check=False).returncode == 0:
        say("base kept from an earlier run")
        return
    start = time.monotonic()
    container = buildah("from", "scratch").stdout.strip()
    root = Path(buildah("mount", container).stdout.strip())
    run("debootstrap", "--variant=minbase", "--include=python3,python3-venv", "bookworm", str(root), mirror())
    for folder in "var/cache/apt/archives", "var/lib/apt/lists":
        shutil.rmtree(root / folder)
        (root / folder).mkdir()
    buildah("umount", container)
    buildah("commit", container, BASE)
    say(f"base made by debootstrap in {time.monotonic() - start:.0f} s")


def pip_mounts(folder):
    """Let pip in the build find packages where this machine's pip finds them: its options and their files."""
    listed = run(sys.executable, "-m", "pip", "config", "list", check=False).stdout
    options = {}
    for section in "global", "install", ":env:":  # the later one wins, as in pip
        for name, value in re.findall(rf"^{section}\.([\w-]+)=(.+)$", listed, re.M):
            if name in PACKAGE_SOURCES.split():
                options[name] = ast.literal_eval(value).split()
    config = Path(folder, "pip.conf")
    config.write_text("[global]\n" + "".join(f"{name} = {' '.join(words)}\n" for name, words in options.items()))

    mounts = {f"{config}:/etc/pip.conf:ro"}
    for name, words in options.items():
        for path in (Path(word.removeprefix("file://")) for word in words):
            if path.is_absolute() and path.exists():
                shared = path.parent if "index-url" in name else path  # an index links to files beside it
                mounts.add(f"{shared}:{shared}:ro")
    return [part for mount in sorted(mounts) for part in ("--volume", mount)]


def torch_index(context):
    """Leave out the Dockerfile's index of torch builds if it cannot be reached: pip would try for minutes."""
    url = re.search(r"^ARG TORCH_INDEX=(\S+)", (context / "Dockerfile").read_text(), re.M)[1]
    try:
        urllib.request.urlopen(f"{url}/torch/", timeout=15).close()
    except OSError as error:
        say(f"torch from where pip is configured to look, as {url} cannot be reached ({error})")
        return ["--build-arg", "TORCH_INDEX="]
    return []


def build(context, folder):
    """Build the image, and drop the one that it replaces."""
    start = time.monotonic()
    old = buildah("images", "--quiet", "--no-trunc", IMAGE, check=False).stdout.strip()
    options = ["--layers", "--pull=never", "--format", "docker"]  # the OCI format has no HEALTHCHECK
    arguments = ["--build-arg", f"BASE_IMAGE={BASE}", *torch_index(context)]
    buildah("bud", *CHROOT, *options, *arguments, *pip_mounts(folder), "--tag", IMAGE, str(context))
    new = buildah("images", "--quiet", "--no-trunc", IMAGE).stdout.strip()
    if old.startswith("sha256:") and old != new:
        buildah("rmi", old, check=False)
    say(f"built in {time.monotonic() - start:.0f} s")


def check_files(container):
    """Check what is in the image, and where its user can write."""
    held = set(buildah("run", *CHROOT, container, "--", "ls", "-A", "/app").stdout.split())
    if not {"app.py", "gradnorm"} <= held or held & {".git", ".venv", "runs", "tests", "benchmarks"}:
        raise ImageTestError(f"/app should hold what the image runs on, holds {sorted(held)}; see .dockerignore")
    say(f"/app holds {' '.join(sorted(held))}")

    # Besides /data: what anyone may write on any Linux, and what the chroot borrows from this machine.
    prune = " -o ".join(f"-path {path}" for path in ("/data", "/tmp", "/var/tmp", "/run/lock", "/proc", "/sys", "/dev"))
    script = (
        f"id -u; find / -xdev \\( {prune} \\) -prune -o ! -type l -writable -print 2>/dev/null;"
        "touch /app/new 2>/dev/null && echo /app/new; touch /data/new && rm /data/new && echo /data"
    )
    user, *writable = buildah("run", *CHROOT, container, "--", "sh", "-c", script).stdout.split()
    if user != str(UID) or writable != ["/data"]:
        raise ImageTestError(
            f"user {UID} should write in /data only, user {user} can in {writable[:20]}; see Dockerfile"
        )
    say("writable: /data, nothing else")


def check_training(container):
    """Check that the image's PyTorch trains, and that a later process finds the run."""
    gradnorm = ["run", *CHROOT, container, "--", "python", "-m", "gradnorm"]
    buildah(*gradnorm, "train", "--preset", "toy-2", "--steps", "20")
    runs = buildah(*gradnorm, "runs").stdout.strip()
    if "finished" not in runs:
        raise ImageTestError(f"/data should hold the finished run, holds {runs!r}; see {LOG}")
    say(f"trained: {' '.join(runs.split())}")


def own_processes(server):
    """List the service's processes: those below buildah's own."""
    return [child for child in psutil.Process(server.pid).children(recursive=True) if "buildah" not in child.name()]


def check_service(container, config):
    """Run the image's command as its user until its health check passes, then stop it as an engine would."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # The chroot shares this machine's network.
    here = ["--env", "GRADNORM_ADDRESS=127.0.0.1", "--env", f"GRADNORM_PORT={port}", container, "--"]
    kind, *test = config["Healthcheck"]["Test"]
    test = ["/bin/sh", "-c", *test] if kind == "CMD-SHELL" else test

    def healthy():
        return buildah("run", *CHROOT, *here, *test, check=False).returncode == 0

    if healthy():
        raise ImageTestError(f"the health check should fail while port {port} is free, passes; see HEALTHCHECK")
    say("health check fails while nothing runs")

    start = time.monotonic()
    with LOG.open("a") as log:
        command = [*BUILDAH, "run", *CHROOT, *here, *config["Cmd"]]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    own = []
    try:
        while not healthy():
            if server.poll() is not None:
                raise ImageTestError(f"{config['Cmd']} should keep running, ended with {server.returncode}; see {LOG}")
            if time.monotonic() - start > HEALTHY_WITHIN:
                raise ImageTestError(f"the service should be healthy in {HEALTHY_WITHIN} s, is not; see {LOG}")
            time.sleep(1)
        took = time.monotonic() - start

        own = own_processes(server)
        users = {user for process in own for user in process.uids()}
        if users != {UID}:
            raise ImageTestError(f"the service should run as user {UID}, runs as {users}; see USER in the Dockerfile")
        say(f"user {UID} runs {' '.join(own[0].cmdline())} (process {own[0].pid} of {len(own)})")
        say(f"healthy after {took:.0f} s on 127.0.0.1:{port}")

        start = time.monotonic()
        own[0].terminate()
        _, left = psutil.wait_procs(own, STOPPED_WITHIN)
        if left:
            raise ImageTestError(f"SIGTERM should end all within {STOPPED_WITHIN} s, left: {left}; handle SIGTERM")
        took = time.monotonic() - start
        server.wait(STOPPED_WITHIN)
        if healthy():
            raise ImageTestError(f"nothing should answer on port {port} after SIGTERM, something does; stop it too")
        say(f"stopped by SIGTERM after {took:.1f} s")
    finally:
        for process in {*own, *(own_processes(server) if server.poll() is None else [])}:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        try:
            server.wait(STOPPED_WITHIN)  # buildah ends with what it runs
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def main():
    """Build the image, check it, and leave only the cache behind."""
    context = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()
    if os.geteuid():
        raise ImageTestError(f"should run as root (for chroot), runs as user {os.geteuid()}; use sudo")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("image test stopped by SIGTERM"))
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock, tempfile.TemporaryDirectory(dir=CACHE) as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits for the first
        LOG.write_text("")
        os.environ["TMPDIR"] = folder  # for what buildah would leave behind
        start = time.monotonic()
        install_tools()
        BUILDAH.extend(storage())
        try:
            make_base()
            build(context, folder)
            config = json.loads(buildah("inspect", "--type", "image", IMAGE).stdout)["Docker"]["config"]
            container = buildah("from", "--pull-never", IMAGE).stdout.strip()
            check_files(container)
            check_training(container)
            check_service(container, config)
        finally:
            buildah("rm", "--all", check=False)
    say(f"image test passed in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except ImageTestError as error:
        sys.exit(f"image test failed: {error}")
