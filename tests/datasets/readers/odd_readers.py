"""Readers that do what no reader should, for the limits of the process that runs them."""

import json
import os
import signal
import sys
import time
from importlib import import_module


def forever(stream, file):
    while True:
        pass


def asleep(stream, file):
    time.sleep(60)


def hungry(stream, file):
    held = []
    while True:
        held.append(bytearray(2**24))


def opening(stream, file):
    held = []
    while True:
        held.append(file.open("rb"))


def writing(stream, file):
    file.write_bytes(b"other")


def crashing(stream, file):
    os.abort()


def killed(stream, file):
    os.kill(os.getpid(), signal.SIGKILL)


def failing(stream, file):
    raise KeyError("secret of the code")


def lacking(stream, file):
    raise ModuleNotFoundError("No module named 'pandas.core'", name="pandas.core")


def endless(stream, file):
    while True:
        stream.write(bytes(2**20))


def talking(stream, file):
    print("by the way")
    sys.stdout.flush()
    os.write(1, b"and more")
    stream.write(b"answer")


def modules(stream, file, reader):
    import_module(reader)
    stream.write(json.dumps(sorted(sys.modules)).encode())


def slow(stream, file):
    began = time.monotonic()
    time.sleep(0.5)
    stream.write(json.dumps([began, time.monotonic()]).encode())
