import pytest

torch = pytest.importorskip("torch")

from lrmp.agents.advantage import estimate_advantages  # noqa: E402


def test_by_hand_with_one_termination_and_one_truncation():
    # Two environments, three steps; the first terminates after step 1, the second is truncated.
    rewards = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    values = torch.tensor([[0.5, 0.5], [0.25, 0.25], [1.0, 1.0]])
    next_values = torch.tensor([[0.25, 0.25], [4.0, 4.0], [2.0, 2.0]])
    terminated = torch.tensor([[False, False], [True, False], [False, False]])
    ended = torch.tensor([[False, False], [True, True], [False, False]])
    found = estimate_advantages(rewards, values, next_values, terminated, ended, 0.5, 0.8)
    last = 3.0 + 0.5 * 2.0 - 1.0
    first_end = 2.0 - 0.25  # no value follows a termination
    second_end = 2.0 + 0.5 * 4.0 - 0.25  # but one follows a truncation
    start = 1.0 + 0.5 * 0.25 - 0.5
    expected = [
        [start + 0.4 * first_end, start + 0.4 * second_end],
        [first_end, second_end],
        [last, last],
    ]
    assert found.numpy() == pytest.approx(torch.tensor(expected).numpy())


def test_with_full_traces_it_is_return_minus_value():
    generator = torch.Generator().manual_seed(0)
    rewards, values = torch.rand(2, 6, 3, generator=generator)
    ended = torch.zeros(6, 3, dtype=torch.bool)
    ended[-1] = True
    next_values = torch.cat([values[1:], torch.zeros(1, 3)])
    found = estimate_advantages(rewards, values, next_values, ended, ended, 1.0, 1.0)
    returns = rewards.flip(0).cumsum(0).flip(0)
    assert found.numpy() == pytest.approx((returns - values).numpy(), abs=1e-6)
