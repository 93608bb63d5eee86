"""GradNorm with the paper's own argument names: what a user puts into a training loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from gradnorm.balancer.arguments import build_method
from gradnorm.balancer.balancer import Balancer

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

    from gradnorm.methods.base import Heads
    from gradnorm.methods.gradnorm import Update


class GradNorm(Balancer):
    """Balance the losses of T tasks by GradNorm in your own training loop.

    At each step GradNorm lowers L_grad(t) = Σ_i |G_i(t) − Ḡ(t)·r_i(t)^α| (Eq. 2) by moving the weights w alone,
    where G_i = ‖∇_W w_i L_i‖₂ is a task's weighted gradient norm at the last shared layer W, Ḡ is their mean,
    and r_i is the relative inverse training rate. The weights then sum to T.

    tasks: T ≥ 1, or T different names.
    alpha: the asymmetry α, in [0, 5]. The larger it is, the more strongly slow tasks are pulled up.
    learning_rate: step size of the weights, in (0, 1]. None means 0.01 for update="log" and 0.025, the
        paper's, for "adam" and "sgd". "closed" takes no steps, and no learning rate.
    update: "closed" sets w_i to what meets the targets, p_i·r_i^α/‖∇_W L_i‖, smoothed over steps; "log" multiplies w_i
        by exp(∓learning_rate); "adam" runs Adam on w, as the paper does; "sgd" runs plain gradient descent on w.
    initial_losses: L_i(0) > 0, shape [T]. None means the losses of the first call. For cross entropy over
        C classes the paper suggests log C.
    heads: "weighted" applies the weights to all parameters. With "own" they apply to what the tasks share, and each
        head gets the gradient of its own loss. A warning says so where that can't be, and all is weighted: for losses
        that one operation makes, and for heads that torch.compile has joined with the trunk.
    half_life: of "closed", in (0, 1e6]: the steps after which what was measured counts half.
    every: k in [1, 10000]. Norms are measured at the first step and each k-th after it; between them the weights stay,
        and a step is one plain backward pass.
    priorities: p, shape [T], in [1e-6, 1e6]: what each task's gradient norm is to be relative to the others'. Left
        out, all are 1.
    least, most: in [0, 1] and [1, 64]: no weight leaves this range. The weights sum to T: 0 and T are no bounds.
    group: the processes that train this network together, as in `Balancer`.
    Raises ValueError for a value out of range, a learning rate with "closed", or a wrong number of initial losses or
        priorities.

    Paper: Chen, Badrinarayanan, Lee, Rabinovich, "GradNorm", ICML 2018 (arXiv:1711.02257), Algorithm 1.
    Differs from the paper, which is update="adam" with heads="weighted": Adam's steps are too coarse for a task that
    needs a very small weight, and a head whose targets are large starves when its gradient is weighted.

    >>> import torch
    >>> from gradnorm import GradNorm
    >>> _ = torch.manual_seed(0)
    >>> shared = torch.nn.Linear(3, 4)
    >>> heads = torch.nn.ModuleList([torch.nn.Linear(4, 1), torch.nn.Linear(4, 1)])
    >>> optimizer = torch.optim.SGD([*shared.parameters(), *heads.parameters()], lr=0.01)
    >>> balancer = GradNorm(tasks=["depth", "normals"], alpha=0.12)
    >>> for step in range(3):
    ...     x = torch.randn(8, 3)
    ...     features = shared(x)
    ...     targets = x.sum(1, keepdim=True), 10 * x.prod(1, keepdim=True)
    ...     losses = [(head(features.relu()) - y).square().mean() for head, y in zip(heads, targets)]
    ...     optimizer.zero_grad()
    ...     balance = balancer.backward(losses, shared=shared, features=features)
    ...     optimizer.step()
    >>> balance.gradient_norms.shape, round(balancer.weights.sum().item(), 4)
    (torch.Size([2]), 2.0)
    """

    def __init__(
        self,
        tasks: int | Sequence[str],
        alpha: float = 0.12,
        learning_rate: float | None = None,
        update: Update = "closed",
        initial_losses: Sequence[float] | Tensor | None = None,
        *,
        heads: Heads = "own",
        half_life: float = 300.0,
        every: int = 1,
        priorities: Sequence[float] = (),
        least: float = 0.0,
        most: float = 64.0,
        group: ProcessGroup | None = None,
    ) -> None:
        # With pydantic, which the import of this module should not have to wait for.
        from gradnorm.methods.gradnorm import GradNormMethod

        if learning_rate is None:
            learning_rate = 0.01 if update == "log" else 0.025
        elif update == "closed":
            raise ValueError(
                f'learning_rate should be given for update="log", "adam" or "sgd" alone. Found {learning_rate} for '
                'update="closed", which takes no steps. Leave it out, or choose update="log"'
            )
        hyperparameters = {
            "alpha": alpha,
            "update": update,
            "weight_learning_rate": learning_rate,
            "heads": heads,
            "half_life": half_life,
            "every": every,
            "priorities": priorities,
            "least": least,
            "most": most,
        }
        method = build_method(GradNormMethod, hyperparameters)
        super().__init__(tasks, method, initial_losses=initial_losses, group=group)
