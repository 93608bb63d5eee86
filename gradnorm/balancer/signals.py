"""What a method gets of a step's measurement, and what becomes of its state after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gradnorm.methods.signal import Signal, State


def known(norms: Tensor | None, losses: Tensor, present: bool) -> Tensor | None:
    """Return norms as a method gets them: like the losses, and NaN where these are; all is there if `present`."""
    if norms is None:
        return None
    norms = norms.to(losses)
    return norms if present else norms.where(~losses.isnan(), losses)


def is_sound(signal: Signal) -> Tensor | None:
    """Return whether all that was measured is finite, a scalar on the device; None where nothing was measured.

    Gradients overflow under a loss scale that is too large. The optimizer skips such a step; so do the weights.
    """
    if signal.norms is None:
        return None
    absent = signal.losses.isnan()
    sound = (signal.norms.isfinite() | absent).all()
    if signal.gramian is not None:
        sound &= (signal.gramian.isfinite() | absent | absent[:, None]).all()
    return sound


def mean_of(signals: Sequence[Signal]) -> Signal:
    """Return the mean losses and norms of an optimizer step's micro-batches, and the Gramian of the last one."""
    *_, final = signals
    if len(signals) == 1:
        return final
    losses = torch.stack([signal.losses for signal in signals]).nanmean(0)
    norms = [signal.norms for signal in signals if signal.norms is not None]
    mean = torch.stack(norms).nanmean(0) if norms else None
    return replace(final, losses=losses, norms=mean, complete=all(signal.complete for signal in signals))


def select_state(condition: Tensor, new: State, old: State) -> State:
    """Return `new` where `condition` (a scalar on the device) holds, else `old`, without waiting for the device."""
    return State(
        new.weights.where(condition, old.weights),
        new.initial_losses.where(condition, old.initial_losses),
        {name: value.where(condition, old.memory[name]) for name, value in new.memory.items()},
    )
