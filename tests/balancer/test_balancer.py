"""What a library user relies on: gradients, weights, wrong calls, and the circumstances that break others."""

import math
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gradnorm import Balancer, GradNorm, NonFiniteLossError
from gradnorm.gradients.general import SharedLayerError
from gradnorm.methods.equal import EqualWeights


class Net(nn.Module):
    def __init__(self, tasks=3, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Linear(4, 6)
        self.shared = nn.Linear(6, 5)
        self.heads = nn.ModuleList(nn.Linear(5, 2) for _ in range(tasks))
        self.to(dtype)

    def features(self, x):
        return self.shared(self.trunk(x).tanh())

    def forward(self, x):
        z = self.features(x).tanh()
        return [head(z) for head in self.heads]


def data(seed=0, dtype=torch.float64):
    return torch.randn(8, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def losses_of(outputs):
    return [(10.0**i) * (y - 1).square().mean() for i, y in enumerate(outputs)]


def gradients_of(net):
    return [None if p.grad is None else p.grad.clone() for p in net.parameters()]


def test_the_gradient_is_that_of_the_weighted_sum_and_is_added():
    net, other = Net(), Net()
    balancer = GradNorm(3, alpha=0.5, heads="weighted")
    for step in range(4):
        weights = balancer.weights
        balancer.backward(losses_of(net(data(step))), shared=net.shared)
        sum(w * loss for w, loss in zip(weights, losses_of(other(data(step))), strict=True)).backward()
    # Gradients of four steps were accumulated on both sides.
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-12, atol=1e-12)


def test_log_update_moves_each_weight_by_the_factor_and_keeps_the_sum():
    net = Net(2)
    balancer = GradNorm(2, alpha=0.0, learning_rate=0.1, update="log")
    balance = balancer.backward(losses_of(net(data())), shared=net.shared)
    # α = 0: both norms go to their mean; task 2's is larger, so its weight falls by e^−0.1.
    assert balance.gradient_norms[1] > balance.gradient_norms[0]
    up, down = math.exp(0.1), math.exp(-0.1)
    expected = torch.tensor([2 * up / (up + down), 2 * down / (up + down)], dtype=torch.float64)
    torch.testing.assert_close(balancer.weights, expected)


def test_numbers_of_one_step_by_hand():
    # One shared weight u = 1, L_1 = u², L_2 = 3u²: ∇ = 2 and 6, so G = (2, 6), Ḡ = 4.
    u = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    balancer = GradNorm(2, alpha=1.0, initial_losses=[2.0, 2.0], update="sgd", learning_rate=0.01)
    balance = balancer.backward([u.square().sum(), 3 * u.square().sum()], shared=u)
    # L̃ = (½, 3/2), mean 1, so r = (½, 3/2); targets 4·r = (2, 6) = G: nothing to do.
    torch.testing.assert_close(balance.loss_ratios, torch.tensor([0.5, 1.5], dtype=torch.float64))
    torch.testing.assert_close(balance.relative_rates, torch.tensor([0.5, 1.5], dtype=torch.float64))
    torch.testing.assert_close(balance.gradient_norms, torch.tensor([2.0, 6.0], dtype=torch.float64))
    torch.testing.assert_close(balance.targets, torch.tensor([2.0, 6.0], dtype=torch.float64))
    assert float(balance.imbalance) == 0
    torch.testing.assert_close(balancer.weights, torch.ones(2, dtype=torch.float64))
    balancer.retune(alpha=0.0)
    balance = balancer.backward([u.square().sum(), 3 * u.square().sum()], shared=u)
    # Targets (4, 4): L_grad = |2−4| + |6−4| = 4, slopes −2 and +6, w = (1.02, 0.94)·2/1.96.
    assert float(balance.imbalance) == pytest.approx(4)
    torch.testing.assert_close(balancer.weights, torch.tensor([1.02, 0.94], dtype=torch.float64) * 2 / 1.96)


def test_the_balance_is_frozen_and_detached():
    net = Net()
    balance = GradNorm(3).backward(losses_of(net(data())), shared=net.shared)
    with pytest.raises(AttributeError):
        balance.weights = None
    assert not any(value.requires_grad for value in vars(balance).values() if isinstance(value, torch.Tensor))


@pytest.mark.parametrize("one_pass", [False, True])
def test_no_graph_is_kept_alive(one_pass):
    net = Net()
    z = net.features(data())
    losses = losses_of([head(z.tanh()) for head in net.heads])
    GradNorm(3).backward(losses, shared=net.shared, features=z if one_pass else None)
    for loss in losses:
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()
    node = weakref.ref(z)
    del z, losses, loss
    assert node() is None


def test_one_tensor_of_losses_equals_a_list():
    net, other = Net(), Net()
    GradNorm(3).backward(losses_of(net(data())), shared=net.shared)
    GradNorm(3).backward(torch.stack(losses_of(other(data()))), shared=other.shared)
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


def test_features_of_another_shape_fall_back_to_the_general_way():
    # A head that also looks at the trunk: its gradient does not come by the features alone.
    net, other = Net(2), Net(2)
    grads = []
    for n, one_pass in ((net, False), (other, True)):
        hidden = n.trunk(data()).tanh()
        z = n.shared(hidden)
        losses = losses_of([n.heads[0](z), n.heads[1](z + hidden[:, :5])])
        GradNorm(2).backward(losses, shared=n.shared, features=z if one_pass else None)
        grads.append(gradients_of(n))
    for p, q in zip(*grads, strict=True):
        torch.testing.assert_close(p, q)


def test_absent_task_keeps_its_weight_and_gives_no_gradient():
    net = Net()
    balancer = GradNorm(3, alpha=0.5)
    balancer.backward(losses_of(net(data())), shared=net.shared)
    before = balancer.weights
    net.zero_grad()
    first, _, third = losses_of(net(data(1)))
    balance = balancer.backward([first, None, third], shared=net.shared)
    assert balancer.weights[1] == before[1]
    assert balancer.weights[0] != before[0]
    assert float(balancer.weights.sum()) == pytest.approx(3, abs=1e-12)
    assert net.heads[1].weight.grad is None
    assert math.isnan(balance.losses[1])
    assert not math.isnan(float(balance.imbalance))


@pytest.mark.parametrize("update", ["closed", "log", "adam", "sgd"])
def test_a_task_absent_at_first_takes_its_first_loss_as_initial(update):
    net = Net()
    balancer = GradNorm(3, update=update, learning_rate=None if update == "closed" else 1e-4)
    first, _, third = losses_of(net(data()))
    balancer.backward([first, None, third], shared=net.shared)
    assert math.isnan(balancer.initial_losses[1])
    losses = losses_of(net(data(1)))
    balance = balancer.backward(losses, shared=net.shared)
    assert balancer.initial_losses[1] == losses[1].detach()
    assert balance.loss_ratios[1] == 1
    assert bool(balancer.weights.isfinite().all())


def test_a_shared_parameter_that_one_task_does_not_reach():
    a, b = (nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(2))
    losses = [(a * 3).square().sum(), (a + b).square().sum()]
    balance = GradNorm(2).backward(losses, shared=[a, b])
    # ∇_a L_1 = 18a; L_2 reaches both: 2(a + b) on each.
    expected = torch.tensor([18 * math.sqrt(2), 4 * math.sqrt(4)], dtype=torch.float64)
    torch.testing.assert_close(balance.gradient_norms, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_norms_close_to_full_precision(dtype):
    net = Net(dtype=torch.float32)
    full = GradNorm(3).backward(losses_of(net(data(dtype=torch.float32))), shared=net.shared)
    with torch.autocast("cpu", dtype=dtype):
        losses = losses_of(net(data(dtype=torch.float32)))
    half = GradNorm(3).backward(losses, shared=net.shared)
    torch.testing.assert_close(half.gradient_norms, full.gradient_norms, rtol=0.05, atol=0.01)
    assert half.gradient_norms.dtype == torch.float32


def test_losses_in_half_precision_are_weighed_in_single():
    net = Net(dtype=torch.float32)
    losses = [loss.to(torch.bfloat16) for loss in losses_of(net(data(dtype=torch.float32)))]
    balancer = GradNorm(3)
    balancer.backward(losses, shared=net.shared)
    assert balancer.weights.dtype == torch.float32


def test_grad_scaler_scales_gradients_and_not_norms():
    net, other = Net(dtype=torch.float32), Net(dtype=torch.float32)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    balance = GradNorm(3).backward(losses_of(net(data(dtype=torch.float32))), shared=net.shared, scaler=scaler)
    plain = GradNorm(3).backward(losses_of(other(data(dtype=torch.float32))), shared=other.shared)
    torch.testing.assert_close(balance.gradient_norms, plain.gradient_norms)
    torch.testing.assert_close(net.trunk.weight.grad, other.trunk.weight.grad * 1024)
    scaler.unscale_(optimizer)
    torch.testing.assert_close(net.trunk.weight.grad, other.trunk.weight.grad)
    scaler.step(optimizer)
    scaler.update()


def test_an_overflow_under_the_scaler_leaves_the_weights():
    net = Net(dtype=torch.float32)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    balancer = GradNorm(3)
    losses = [loss * 1e6 for loss in losses_of(net(data(dtype=torch.float32)))]
    balancer.backward(losses, shared=net.shared, scaler=scaler)
    assert balancer.weights.tolist() == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_a_compiled_model_gives_the_same(backend):
    import shutil

    if backend == "inductor" and shutil.which("g++") is None:
        pytest.skip("inductor needs a C++ compiler")
    net, other = Net(), Net()
    balancers = [GradNorm(3, heads="weighted") for _ in range(2)]
    compiled = torch.compile(net, backend=backend)
    for step in range(3):
        ours = balancers[0].backward(losses_of(compiled(data(step))), shared=net.shared)
        plain = balancers[1].backward(losses_of(other(data(step))), shared=other.shared)
        torch.testing.assert_close(ours.gradient_norms, plain.gradient_norms)
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


def test_methods_that_need_losses_only_measure_nothing_more():
    net = Net()
    assert Balancer(3, EqualWeights()).backward(losses_of(net(data())), shared=net.shared).gradient_norms is None
    watched = Balancer(3, EqualWeights(), watch_norms=True)
    assert watched.backward(losses_of(net(data())), shared=net.shared).gradient_norms is not None


@pytest.mark.parametrize("update", ["closed", "log", "adam"])
def test_a_saved_balancer_goes_on_bit_for_bit(update):
    net = Net()
    first = GradNorm(["a", "b", "c"], alpha=0.7, update=update)
    for step in range(3):
        first.backward(losses_of(net(data(step))), shared=net.shared)
    second = GradNorm(["a", "b", "c"], update=update)
    second.load_state_dict(first.state_dict())
    for step in range(3, 6):
        for balancer in (first, second):
            balancer.backward(losses_of(net(data(step))), shared=net.shared)
        assert torch.equal(first.weights, second.weights)
    assert second.method.alpha == 0.7


def test_a_state_of_other_tasks_is_refused():
    state = GradNorm(2).state_dict()
    with pytest.raises(ValueError, match="tasks"):
        GradNorm(3).load_state_dict(state)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8),
    st.floats(0, 5),
    st.sampled_from(["closed", "log", "adam", "sgd"]),
    st.integers(0, 5),
)
def test_weights_stay_positive_and_sum_to_T(scales, alpha, update, seed):
    u = nn.Parameter(torch.randn(4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    balancer = GradNorm(len(scales), alpha=alpha, update=update, learning_rate=None if update == "closed" else 0.5)
    for step in range(5):
        losses = [s * (u - i - step).square().sum() for i, s in enumerate(scales)]
        balancer.backward(losses, shared=u)
        assert bool((balancer.weights > 0).all())
        assert float(balancer.weights.sum()) == pytest.approx(len(scales), rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(4)), st.sampled_from(["closed", "log", "adam"]))
def test_permuting_tasks_permutes_weights(order, update):
    def run(scales):
        u = nn.Parameter(torch.arange(3, dtype=torch.float64))
        balancer = GradNorm(4, alpha=0.5, update=update)
        for step in range(4):
            losses = [s * (u - s - step).square().sum() for s in scales]
            balancer.backward(losses, shared=u)
        return balancer.weights

    scales = [1.0, 10.0, 100.0, 3.0]
    torch.testing.assert_close(run([scales[i] for i in order]), run(scales)[list(order)])


def wrong_calls():
    net = Net(2)

    def losses():
        return losses_of(net(data()))

    unrelated = nn.Linear(3, 3)
    return [
        (lambda: GradNorm(2).backward(losses()[:1], shared=net.shared), "2 entries.*Found 1"),
        (lambda: GradNorm(2).backward(torch.ones(2, 2), shared=net.shared), r"shape \[2, 2\]"),
        (lambda: GradNorm(2).backward([losses()[0], torch.ones(3)], shared=net.shared), r"scalar.*\[3\]"),
        (lambda: GradNorm(2).backward([losses()[0], 3.0], shared=net.shared), "tensor.*float"),
        (lambda: GradNorm(2).backward([loss.detach() for loss in losses()], shared=net.shared), "attached"),
        (lambda: GradNorm(2).backward([-loss for loss in losses()], shared=net.shared), "0 or more.*Found -"),
        (lambda: GradNorm(2).backward([loss * math.nan for loss in losses()], shared=net.shared), "finite.*nan"),
        (lambda: GradNorm(2).backward([loss * math.inf for loss in losses()], shared=net.shared), "finite.*inf"),
        (lambda: GradNorm(2).backward([loss * 0 for loss in losses()], shared=net.shared), "first loss.*positive"),
        (lambda: GradNorm(2).backward([None, None], shared=net.shared), "at least one loss"),
        (lambda: GradNorm(2).backward(losses(), shared=unrelated), "'task 1' should depend on the shared layer"),
        (lambda: GradNorm(2).backward(losses(), shared=[]), "at least one parameter"),
        (lambda: GradNorm(2, alpha=-1), r"alpha should be in \[0, 5\]. Found -1"),
        (lambda: GradNorm(2, alpha=5.5), r"alpha should be in \[0, 5\]. Found 5\.5"),
        (lambda: GradNorm(2, alpha=math.nan), "alpha"),
        (lambda: GradNorm(2, update="log", learning_rate=0), r"learning_rate should be in \(0, 1\]. Found 0"),
        (lambda: GradNorm(2, learning_rate=0.01), 'update="closed", which takes no steps'),
        (lambda: GradNorm(2, update="momentum"), "update.*log"),
        (lambda: GradNorm(0), "at least 1"),
        (lambda: GradNorm(["a", "a"]), "different names"),
        (lambda: GradNorm(2, initial_losses=[1.0]), "2 positive numbers"),
        (lambda: GradNorm(2, initial_losses=[1.0, 0.0]), "2 positive numbers"),
        (lambda: GradNorm(2).retune(beta=1), "beta"),
    ]


@pytest.mark.parametrize("index", range(len(wrong_calls())))
def test_a_wrong_call_says_what_should_be(index):
    call, message = wrong_calls()[index]
    with pytest.raises(ValueError, match=message):
        call()


def test_a_loss_that_is_not_finite_names_its_task():
    net = Net(2)
    first, second = losses_of(net(data()))
    with pytest.raises(NonFiniteLossError) as caught:
        GradNorm(["depth", "normals"]).backward([first, second * math.inf], shared=net.shared)
    assert caught.value.task == "normals"
    assert caught.value.value == math.inf


def test_a_refused_call_changes_nothing():
    net = Net(2)
    balancer = GradNorm(2)
    with pytest.raises(SharedLayerError):
        balancer.backward(losses_of(net(data())), shared=nn.Linear(2, 2))
    assert balancer.weights.tolist() == [1, 1]
    assert bool(balancer.initial_losses.isnan().all())
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_same_numbers_without_a_wait_per_task():
    net, other = Net(6), Net(6).cuda()
    ours, theirs = GradNorm(6), GradNorm(6)
    for step in range(3):
        a = ours.backward(losses_of(net(data(step))), shared=net.shared)
        b = theirs.backward(losses_of(other(data(step).cuda())), shared=other.shared)
        torch.testing.assert_close(a.gradient_norms, b.gradient_norms.cpu())
    assert theirs.weights.device.type == "cuda"


def test_a_state_with_a_task_never_seen_learns_its_first_loss():
    """A balancer that knew all tasks does not take the next one for known."""
    W = nn.Linear(3, 3)
    part = GradNorm(2)
    part.backward([W(torch.ones(1, 3)).square().sum(), None], shared=W)
    whole = GradNorm(2)
    for _ in range(2):
        x = W(torch.ones(1, 3))
        whole.backward([x.square().sum(), (3 * x).square().sum()], shared=W)
    whole.load_state_dict(part.state_dict())
    x = W(torch.ones(1, 3))
    whole.backward([x.square().sum(), (3 * x).square().sum()], shared=W)
    assert bool(whole.initial_losses.isfinite().all())
    assert whole.weights.tolist() != [1.0, 1.0]


def test_a_step_whose_gradients_overflow_leaves_the_weights(monkeypatch):
    W = nn.Linear(3, 3)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, enabled=True)
    balancer = GradNorm(2)
    x = W(torch.ones(1, 3))
    balance = balancer.backward([(100 * x).square().sum(), x.square().sum()], shared=W, scaler=scaler)
    assert not bool(balance.gradient_norms.isfinite().all())
    assert balancer.weights.tolist() == [1.0, 1.0]
    x = W(torch.ones(1, 3))
    balancer.backward([(100 * x).square().sum(), x.square().sum()], shared=W)
    assert bool(balancer.initial_losses.isfinite().all())
    assert balancer.weights.tolist() != [1.0, 1.0]
