"""torchrun: several processes that take one command. The first one speaks, writes and decides; the others follow."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from datetime import timedelta

from gradnorm.cli.output import ENDINGS, FAILED

# A run that is paused for long is not lost. A process that has died is noticed at once.
_PATIENCE = timedelta(days=30)


def several() -> bool:
    """Whether torchrun has started this process beside others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ["WORLD_SIZE"]) > 1


def leads() -> bool:
    """Whether this process is the first one, or the only one."""
    return not several() or os.environ["RANK"] == "0"


def join() -> None:
    """Meet the other processes, each with a GPU of its own if there are enough."""
    from torch import distributed

    from gradnorm.training.run import count_gpus, use_gpu

    gpus = count_gpus()
    use_gpu(int(os.environ["LOCAL_RANK"]))
    backend = "cpu:gloo,cuda:nccl" if gpus >= int(os.environ["LOCAL_WORLD_SIZE"]) else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    atexit.register(distributed.destroy_process_group)


def lead(runs: int) -> None:
    """Meet the others, if there are any, and tell them how many runs will be trained."""
    if not several():
        return
    from gradnorm.training import following

    join()
    following.lead(runs)
    print(
        f"gradnorm: {os.environ['WORLD_SIZE']} processes train each its part of every batch. "
        "Small networks are stepped by autograd then, not as one program.",
        file=sys.stderr,
    )


def follow() -> int:
    """Train along with the first process and return its exit code."""
    from gradnorm.training import following

    join()
    # The first process decides when a run stops, and torchrun tells all of them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        return max((ENDINGS.get(kind, FAILED) for kind in following.follow()), default=FAILED)
    except RuntimeError:
        # The first process has gone, and says why.
        return FAILED
