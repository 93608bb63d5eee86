"""A weighting method bound to a network: measure, decide, back-propagate the weighted sum.

A user's training loop and the training engine use the same class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from gradnorm.balancer import arguments, signals
from gradnorm.balancer.arguments import Losses, build_method
from gradnorm.balancer.measuring import Graph, measure
from gradnorm.gradients import general
from gradnorm.gradients.general import Shared
from gradnorm.gradients.ranks import Ranks
from gradnorm.gradients.weighted import Via
from gradnorm.methods.balance import Balance, Kind
from gradnorm.methods.signal import Needs, Signal, State
from gradnorm.methods.small_start import SmallStarts

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

    from gradnorm.methods.base import Method

_REGRESSION: Kind = "regression"


class LossScaler(Protocol):
    """The part of `torch.amp.GradScaler` that a balancer uses."""

    def scale(self, outputs: Tensor, /) -> Any:
        """Return `outputs` times the current loss scale."""
        ...


class Balancer:
    """Weigh the losses of T tasks by any weighting method, and run their joint backward pass.

    Each call of `backward` adds the gradient of L(t) = Σ_i w_i(t)·L_i(t) to `.grad`.

    tasks: T ≥ 1, or T different names.
    method: the weighting method with its hyperparameters, from `gradnorm.methods`, or the name of one, which then has
        its defaults. `gradnorm methods` lists the names.
    initial_losses: L_i(0) > 0, shape [T]. None means each task's first loss. For cross entropy over
        C classes the paper suggests log C.
    kinds: "regression" or "classification" for each task, since some methods treat them differently.
        Left out, all are regressions.
    watch_norms: whether to measure gradient norms even if the method does not need them.
    seed: ≥ 0, of the random numbers that RLW and PCGrad draw.
    group: the `torch.distributed` process group that trains this network, each process on its part of every batch,
        as under DistributedDataParallel. None means the default group, if there is one. Losses and gradients are
        averaged over the group before anything is decided, so that all its processes have the same weights.
    warns: whether to warn, once, of a task whose first loss was so near 0 that its ratio L_i(t)/L_i(0) stays over 10,
        where the method sets targets by it.
    Raises ValueError for a wrong number of names, kinds or initial losses, an unknown method, or one whose
        hyperparameters do not suit T tasks.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> from gradnorm.methods.static import StaticWeights
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> balancer = Balancer(["depth", "normals"], StaticWeights(weights=(1, 3)))
    >>> balance = balancer.backward([shared[0] ** 2, shared[1] ** 2], shared=shared)
    >>> balance.weights.tolist()
    [0.5, 1.5]
    >>> shared.grad.tolist()  # 0.5·2·1 and 1.5·2·2
    [1.0, 6.0]
    """

    def __init__(
        self,
        tasks: int | Sequence[str],
        method: Method | str,
        *,
        initial_losses: Sequence[float] | Tensor | None = None,
        kinds: Sequence[Kind] = (),
        watch_norms: bool = False,
        seed: int = 0,
        group: ProcessGroup | None = None,
        warns: bool = True,
    ) -> None:
        self.names = arguments.task_names(tasks)
        self.method = arguments.chosen_method(method, len(self.names))
        self._watches_norms = watch_norms
        self._group = group
        self.seed = seed
        self._kinds: Sequence[Kind] = kinds or (_REGRESSION,) * len(self.names)
        if len(self._kinds) != len(self.names):
            raise ValueError(f"kinds should name {len(self.names)} tasks. Found {len(self._kinds)}. Give one for each.")
        state = self.method.start(torch.ones(len(self.names)), self._kinds)
        if initial_losses is not None:
            state = State(state.weights, arguments.checked_initial_losses(initial_losses, self.names), state.memory)
        self._state = state
        # L_i(0) on the host, once every task has been seen.
        self._first_losses: list[float] | None = None if initial_losses is None else state.initial_losses.tolist()
        self._small_starts = SmallStarts(len(self.names)) if warns and self.method.sets_targets else None
        self._steps = 0
        self._earlier: list[Signal] = []
        general.allow_several_passes()

    @property
    def tasks(self) -> int:
        """T, the number of tasks."""
        return len(self.names)

    @property
    def state(self) -> State:
        """The method's state for the next step: weights, initial losses and memory."""
        return self._state

    def place(self, state: State, steps: int) -> None:
        """Replace the state by one that the same method reached elsewhere.

        state: the state for the next step; its vectors have shape [T].
        steps: how many steps led to it, ≥ 0.
        """
        self._state, self._steps, self._first_losses = state, steps, None

    @property
    def weights(self) -> Tensor:
        """w(t+1), the weights of the next step: a detached copy, shape [T]."""
        return self._state.weights.clone()

    @property
    def initial_losses(self) -> Tensor:
        """L_i(0): a detached copy, shape [T], NaN for a task that has not been seen yet."""
        return self._state.initial_losses.clone()

    def backward(
        self,
        losses: Losses,
        *,
        shared: Shared | None = None,
        features: Tensor | None = None,
        input: Tensor | None = None,
        trunk: Shared | None = None,
        scaler: LossScaler | None = None,
        via: Via | None = None,
        last: bool = True,
    ) -> Balance:
        """Run one step of Algorithm 1: measure, decide the weights, back-propagate Σ_i w_i(t)·L_i(t).

        losses: T scalars ≥ 0 that require a gradient, one tensor of shape [T], or a mapping from task names to
            scalars. None stands for a task that is absent from the batch: it adds no gradient and keeps its weight.
        shared: W, the last shared layer: a module, a parameter, or an iterable of parameters.
        features: the output or the input of `shared`, shape [B, ...]; it is seldom needed. A step takes one backward
            pass if the graph shows one tensor above W in which all heads meet. Otherwise it takes one pass more for
            each task: where heads share parameters or read the trunk by another way, where torch.compile has joined
            them with it, or where W is used once for each head. So it does without `features` where one task alone is
            present, or several processes train together. The result is the same up to rounding, but for two things.
            With more passes, a tensor between W and a loss that retains its gradient adds up those of all. With one
            pass, a hook that changes the gradient of W's output changes the norms only if that is `features`.
        input: instead of `shared` and `features`, the activation in which the heads meet, shape [B, ...]. Norms are
            then ‖∂L_i/∂input‖ over the whole batch. Not for gradient surgery, nor for several processes.
        trunk: all parameters that the tasks share, those of W included: a module, a parameter, or an iterable of
            parameters. Only gradient surgery needs it: its weights apply to these parameters, and each head gets the
            gradient of its own loss.
        scaler: the `torch.amp.GradScaler` in use, if any. Pass the losses unscaled: `.grad` is then scaled as
            the scaler expects, and the norms are those of the unscaled gradients.
        via: the function that runs backward passes in a framework, such as accelerator.backward or Lightning's
            self.manual_backward. It is called with Σ_i w_i(t)·L_i(t), and may scale that; the norms are those of the
            unscaled gradients. With `scaler`, it is `via` that has to scale. Not for gradient surgery.
        last: False for all micro-batches of an optimizer step but the last, where gradients are accumulated. The
            weights then stay until the last one, and are decided from the mean losses and mean norms of all.
        Returns the `Balance` of this step. The gradients are added to `.grad` of every parameter.
        Raises ValueError for losses of a wrong number, shape or sign, a loss without a gradient, or a shared
        layer that a loss does not reach; NonFiniteLossError for a loss that is NaN or infinite. The balancer
        and `.grad` are then as they were.

        >>> import torch
        >>> from gradnorm import GradNorm
        >>> balancer = GradNorm(2, alpha=0)
        >>> shared = torch.nn.Parameter(torch.ones(1))
        >>> balance = balancer.backward([(2 * shared).sum(), (6 * shared).sum()], shared=shared)
        >>> balance.gradient_norms.tolist(), balance.targets.tolist()
        ([2.0, 6.0], [4.0, 4.0])
        >>> balancer.weights[0] > 1 > balancer.weights[1]  # task 1 lies below its target, task 2 above
        tensor(True)
        """
        each, vector = arguments.attached(losses, self.names)
        ranks = Ranks.joined(self._group)
        first = self._first_losses or self._state.initial_losses.tolist()
        values, numbers = arguments.loss_values(each, vector, self.names, first, ranks)
        present = not any(map(math.isnan, numbers))
        # At a first step there is no initial loss yet; later all of them have to be there.
        complete = present and (self._first_losses is not None or self._steps == 0)
        self._state = self._state.like(values)
        scale = None if scaler is None else scaler.scale(torch.ones((), device=values.device))
        signal = Signal(values, step=self._steps + 1, complete=complete, seed=self.seed)
        wanted = self._watches_norms or (self.method.needs is Needs.NORMS and self.method.due(signal.step))
        # Between two measurements nothing is asked of W, which the first step has looked at.
        idle = self.method.needs is Needs.NORMS and self.method.heads == "weighted" and not wanted
        W, features = ((), features) if idle else arguments.measured_at(shared, features, input, ranks)
        graph = Graph(each, vector, W, features, trunk, self.names, scale, ranks, via)
        measured = measure(graph, self.method, self._state, self._whole(signal, last), norms=wanted)
        signal = replace(signal, norms=signals.known(measured.norms, values, present), gramian=measured.gramian)
        balance, state = self.method.balance(self._state, self._whole(signal, last))
        measured.backward(balance.weights)
        if not last:
            self._earlier.append(signal)
            return balance
        self._earlier = []
        self._steps += 1
        sound = None if scaler is None and via is None else signals.is_sound(signal)
        if sound is None:
            self._state = state
            if present and self._first_losses is None:
                self._first_losses = state.initial_losses.tolist()
        else:
            self._state = signals.select_state(sound, state, self._state)
        if self._small_starts is not None and arguments.warn_of_small_starts(
            self._small_starts.take(numbers, first), self.names, self.method
        ):
            self._small_starts = None  # once
        return balance

    def _whole(self, signal: Signal, last: bool) -> Signal:
        """Return what is decided from: the mean of all micro-batches at the last one, and until then each by itself."""
        return signals.mean_of([*self._earlier, signal]) if last else signal

    def retune(self, **hyperparameters: Any) -> None:
        """Change hyperparameters of the method, from the next step on.

        hyperparameters: new values by the names of the method's fields, as in alpha=0.5.
        Raises ValueError for an unknown name, a value out of range, or one that does not suit T tasks; nothing has
        changed then.

        >>> from gradnorm import GradNorm
        >>> balancer = GradNorm(2, alpha=1.5)
        >>> balancer.retune(alpha=0.5)
        >>> balancer.method.alpha
        0.5
        """
        method = build_method(type(self.method), {**self.method.model_dump(), **hyperparameters})
        arguments.suits(method, self.tasks)
        ones = torch.ones_like(self._state.weights)
        before, fresh = self.method.start(ones, self._kinds), method.start(ones, self._kinds)
        # Hyperparameters that choose the first weights choose the next ones.
        weights = self._state.weights if torch.equal(before.weights, fresh.weights) else fresh.weights
        memory = {name: self._state.memory.get(name, value) for name, value in fresh.memory.items()}
        self.method, self._state = method, State(weights, self._state.initial_losses, memory)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs, for `torch.save`.

        The keys are tasks, method, hyperparameters, steps, weights, initial_losses and memory. The tensors
        are copies.

        >>> from gradnorm import GradNorm
        >>> saved = GradNorm(["depth", "normals"]).state_dict()
        >>> saved["method"], saved["tasks"], saved["weights"].tolist()
        ('gradnorm', ['depth', 'normals'], [1.0, 1.0])
        """
        return {
            "tasks": list(self.names),
            "method": self.method.name,
            "hyperparameters": self.method.model_dump(),
            "steps": self._steps,
            "weights": self._state.weights.clone(),
            "initial_losses": self._state.initial_losses.clone(),
            "memory": {name: value.clone() for name, value in self._state.memory.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state of the same tasks and the same method, hyperparameters included.

        state: what `state_dict` returned.
        Raises ValueError if it belongs to other tasks or another method; nothing has changed then.

        >>> from gradnorm import GradNorm
        >>> balancer = GradNorm(2, alpha=1.5)
        >>> balancer.load_state_dict(GradNorm(2, alpha=0.5).state_dict())
        >>> balancer.method.alpha
        0.5
        """
        saved = (state["method"], list(state["tasks"]))
        own = (self.method.name, list(self.names))
        if saved != own:
            raise ValueError(
                f"The state should be of method {own[0]!r} and tasks {own[1]}. Found {saved[0]!r} "
                f"and {saved[1]}. Build the balancer with the same tasks and method."
            )
        # What an earlier version did not save is what it did.
        self.method = type(self.method)(**{**self.method.former, **state["hyperparameters"]})
        self._first_losses = None
        self._steps = int(state["steps"])
        memory: Mapping[str, Tensor] = state["memory"]
        fresh = self.method.start(torch.ones_like(state["weights"]), self._kinds).memory
        # A memory without something that the method keeps is of another kind: it begins anew.
        memory = memory if memory.keys() >= fresh.keys() else fresh
        self._state = State(
            state["weights"].clone(),
            state["initial_losses"].clone(),
            {name: value.clone() for name, value in memory.items()},
        )

    def inherit(self, state: Mapping[str, Any]) -> None:
        """Continue from another balancer's saved state of the same tasks, keeping these hyperparameters.

        From a state of the same method it takes weights, initial losses and memory. From another method's it
        takes the initial losses alone.

        state: what the other balancer's `state_dict` returned.
        Raises ValueError if it belongs to other tasks; nothing has changed then.

        >>> from gradnorm import GradNorm
        >>> child = GradNorm(2, alpha=0.5)
        >>> child.inherit(GradNorm(2, alpha=1.5, initial_losses=[3, 4]).state_dict())
        >>> child.method.alpha, child.initial_losses.tolist()
        (0.5, [3.0, 4.0])
        """
        fresh = self.state_dict()
        if state["method"] == self.method.name:
            memory = {name: value for name, value in state["memory"].items() if name in fresh["memory"]}
            own = {**state, "memory": memory}
        else:
            own = {**state, "method": self.method.name, "weights": fresh["weights"], "memory": fresh["memory"]}
        self.load_state_dict({**own, "hyperparameters": fresh["hyperparameters"]})
