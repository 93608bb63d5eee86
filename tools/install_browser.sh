#!/usr/bin/env bash
# Makes sure that the tests' browser is there: CHROMIUM, else /usr/bin/chromium, else Debian's package.
set -euo pipefail

browser="${CHROMIUM:-/usr/bin/chromium}"
if [ -x "$browser" ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "The browser tests need Chromium. Found none at $browser. Install it, or set CHROMIUM to its path." >&2
    exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    sudo="sudo"
fi
$sudo apt-get update -q
$sudo apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core fonts-liberation
