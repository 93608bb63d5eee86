"""Runs a script of examples/ in one of several processes, and keeps the weights and the network that it ends with.

Started by `test_examples.py`: `torchrun … one_rank.py SCRIPT FOLDER`.
"""

import os
import runpy
import sys
from pathlib import Path

import torch
from torch.distributed.fsdp import FSDPModule

_, script, folder = sys.argv
sys.argv = [script]
sys.path[0] = str(Path(script).parent)
names = runpy.run_path(script, run_name="__main__")
# With FSDP each process has another part of it.
parts = isinstance(names["net"], FSDPModule)
network = [] if parts else [parameter.detach() for parameter in names["net"].parameters()]
torch.save({"weights": names["balancer"].weights, "network": network}, Path(folder) / f"rank {os.environ['RANK']}")
