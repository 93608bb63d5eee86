"""The references against independent values, and the losses by hand."""

import math

import numpy as np
import pytest
import torch

from gradnorm.datasets.problems.advection import Advection
from gradnorm.datasets.problems.allen_cahn import EPSILON, RATE, AllenCahn, between, etdrk4
from gradnorm.datasets.problems.base import Derivatives
from gradnorm.datasets.problems.burgers import VISCOSITY, Burgers, cole_hopf
from gradnorm.datasets.problems.helmholtz import Helmholtz, on_side

PI = math.pi


class Known:
    """A network that is a formula: its derivatives are those of autograd."""

    def __init__(self, formula):
        self.formula = formula

    def __call__(self, points):
        return self.formula(points[:, :1], points[:, 1:2])

    def derivatives(self, points, second=()):
        x = points.detach().requires_grad_()
        u = self(x)
        (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        curved = [torch.autograd.grad(first[:, a].sum(), x, retain_graph=True)[0][:, a : a + 1] for a in second]
        return Derivatives(u, first.T[..., None], torch.stack(curved) if curved else u[None][:0])


def points_of(problem, size=400):
    return problem.load(0).batch(1, size).inputs.double()


@pytest.mark.parametrize(
    ("problem", "formula"),
    [
        (Helmholtz(), lambda x, y: (PI * x).sin() * (4 * PI * y).sin()),
        (Advection(), lambda x, t: (x - 30.0 * t).sin()),
        (Advection(speed=3), lambda x, t: (x - 3.0 * t).sin()),
    ],
)
def test_the_exact_solution_has_no_loss_and_is_the_truth_of_the_grid(problem, formula):
    for loss in problem.losses(Known(formula), points_of(problem)):
        assert loss.item() < 1e-9
    first, second = problem.nodes()
    grid = np.meshgrid(first, second, indexing="ij")
    expected = formula(*(torch.from_numpy(part) for part in grid)).numpy()
    np.testing.assert_allclose(problem.solution(first, second), expected, atol=1e-12)


def test_losses_of_helmholtz_by_hand():
    # Of u = x² it is Δu + u − q = 2 + x² − q.
    points = torch.tensor([[0.5, 0.125, 0.0], [-0.5, 0.25, 3.0], [0.25, -0.5, 1.0]], dtype=torch.float64)
    residual, boundary = Helmholtz().losses(Known(lambda x, y: x**2 + 0 * y), points)
    q = [(1 - 17 * PI**2) * math.sin(PI * x) * math.sin(4 * PI * y) for x, y, _ in points.tolist()]
    expected = np.mean([(2 + x * x - value) ** 2 for (x, _, _), value in zip(points.tolist(), q, strict=True)])
    assert residual.item() == pytest.approx(expected)
    # Every second point goes to its side: (−1, 0.125) and (1, −0.5).
    assert boundary.item() == pytest.approx(1.0)


def test_points_move_to_all_four_sides():
    points = torch.tensor([[0.3, 0.4]]).expand(4, 2)
    moved = on_side(points, torch.arange(4.0)[:, None])
    expected = torch.tensor([[-1, 0.4], [1, 0.4], [0.3, -1], [0.3, 1]])
    torch.testing.assert_close(moved, expected)


def test_losses_of_burgers_by_hand():
    points = torch.tensor([[0.5, 0.25], [-0.5, 0.75]], dtype=torch.float64)
    residual, start, boundary = Burgers().losses(Known(lambda x, t: x**2 * t), points)
    # u_t + u u_x − ν u_xx = x² + 2x³t² − 2νt
    expected = [x * x + 2 * x**3 * t * t - 2 * VISCOSITY * t for x, t in points.tolist()]
    assert residual.item() == pytest.approx(np.mean(np.square(expected)))
    assert start.item() == pytest.approx(1.0)  # sin²(π/2) at the first point
    assert boundary.item() == pytest.approx(0.75**2)  # x = ±1 at the time of the second


def test_losses_of_allen_cahn_by_hand():
    points = torch.tensor([[0.5, 0.25], [-0.5, 0.75]], dtype=torch.float64)
    residual, start, periodic = AllenCahn().losses(Known(lambda x, t: x * t + 0.0), points)
    expected = [x - RATE * (x * t - (x * t) ** 3) for x, t in points.tolist()]
    assert residual.item() == pytest.approx(np.mean(np.square(expected)))
    assert start.item() == pytest.approx((0.25 * math.cos(PI / 2)) ** 2, abs=1e-12)
    assert periodic.item() == pytest.approx((2 * 0.75) ** 2)  # u differs by 2t, u_x not at all


def test_burgers_has_the_slope_that_is_known():
    # max |∂u/∂x| = 152.00516 at t = 1.6037/π (Basdevant et al., 1986).
    h, time = 1e-6, 1.6037 / PI
    low, high = cole_hopf(np.array([-h, h]), time)
    assert (low - high) / (2 * h) == pytest.approx(152.00516, abs=1e-4)


def test_burgers_solves_its_equation_from_its_start():
    x, h = np.array([-0.8, -0.5, -0.3, 0.2, 0.6]), 1e-3
    np.testing.assert_allclose(cole_hopf(x, 0.0), -np.sin(PI * x), atol=1e-12)
    for time in (0.1, 0.3, 0.6, 0.9):
        u = cole_hopf(x, time)
        later, before = cole_hopf(x, time + h), cole_hopf(x, time - h)
        right, left = cole_hopf(x + h, time), cole_hopf(x - h, time)
        residual = (later - before) / (2 * h) + u * (right - left) / (2 * h)
        residual -= VISCOSITY * (right - 2 * u + left) / h**2
        assert np.abs(residual).max() < 1e-4


def test_allen_cahn_is_of_fourth_order_in_time():
    ends = [etdrk4(1.0, steps, 256)[:, -1] for steps in (25, 50, 800)]
    coarse, fine = (np.abs(end - ends[-1]).max() for end in ends[:2])
    assert coarse / fine == pytest.approx(16, rel=0.4)
    assert fine < 1e-4


def test_allen_cahn_agrees_with_finite_differences():
    # Explicit Euler on a fine grid has an error of the order of its step.
    modes, steps = 256, 8000
    x = -1 + 2 * np.arange(modes) / modes
    u = x**2 * np.cos(PI * x)
    for _ in range(steps):
        bend = (np.roll(u, 1) - 2 * u + np.roll(u, -1)) / (2 / modes) ** 2
        u = u + (EPSILON * bend + RATE * (u - u**3)) / steps
    found = etdrk4(1.0, 400, modes)[:, -1]
    assert np.linalg.norm(found - u) / np.linalg.norm(u) < 5e-3


def test_the_grid_of_allen_cahn_takes_times_and_places_of_the_finer_one():
    problem = AllenCahn()
    first, second = problem.nodes()
    truth = problem.solution(first, second)
    np.testing.assert_allclose(truth[:, 0], first**2 * np.cos(PI * first), atol=1e-4)
    np.testing.assert_allclose(truth[0], truth[-1], atol=1e-9)  # periodic
    halfway = etdrk4(float(second[64]), 1600)[:, -1:]
    np.testing.assert_allclose(truth[:, 64], between(halfway, first)[:, 0], atol=1e-6)
