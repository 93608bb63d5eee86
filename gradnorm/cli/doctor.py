"""The command that looks a home over, and mends what can be."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from gradnorm.cli.output import FAILED, write_json


def doctor(arguments: argparse.Namespace) -> int:
    """Say what is wrong with a home; with --repair mend it, and say what was done and what is left."""
    from gradnorm.runs.doctor import examine
    from gradnorm.runs.repair import repair
    from gradnorm.runs.store import default_home

    home: Path = arguments.home or default_home()
    findings = examine(home)
    done = repair(home, findings) if arguments.repair and findings else []
    left = examine(home) if done else findings
    if arguments.json:
        told = {"home": str(home), "findings": [asdict(each) for each in findings], "repaired": done}
        write_json({**told, "left": [asdict(each) for each in left]}, arguments.json)
    else:
        for line in (*done, *(each.sentence for each in left)):
            print(line)
        if not left:
            print(f"Nothing wrong in {home}.")
        elif not arguments.repair and any(each.kind != "lost" for each in left):
            print("Mend what can be with --repair; what is there now is kept beside it.")
    return FAILED if left else 0
