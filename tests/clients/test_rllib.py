"""RLlib: layers that share a policy learn the multi-agent form."""

import json
import os
import subprocess
import sys
from statistics import median

import pytest

pytest.importorskip("ray", reason='needs pip install "lrmp[rllib]", in a venv of its own')
pytest.importorskip("ray.rllib", reason='needs pip install "lrmp[rllib]"')

from lrmp.baselines.clients.train_rllib import train_multi_agent


# Ray and what it imports leave sockets and files to the garbage collector.
@pytest.mark.filterwarnings("ignore")
def test_layers_that_share_a_policy_learn_from_difference_rewards():
    # A mean of 32 episodes moves by 0.3, and further where one design of them breaks the budget.
    returns = train_multi_agent("LRMP-LeNet-v0", seed=1, iterations=12)
    assert median(returns[-4:]) > median(returns[:4]) + 0.1


def test_a_seed_fixes_the_run_of_layers_that_share_a_policy():
    program = (
        "from lrmp.baselines.clients.train_rllib import train_multi_agent\n"
        "print(train_multi_agent('LRMP-LeNet-v0', seed=2, iterations=3))"
    )
    returns = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        for hash_seed in ("1", "2")
    ]
    assert returns[0] == returns[1]
    assert len(json.loads(returns[0])) == 3
