from dataclasses import fields

import pytest


@pytest.fixture(scope="session")
def few_designs():
    """Return settings that let an algorithm finish after a few designs."""

    def few_designs(name, algorithm):
        if name == "bayesian":
            return {"evaluations": 12, "random_designs": 10}
        if name in ("composite", "ddpg"):
            return {"evaluations": 22}  # some of them without random actions
        counted = "evaluations" in {field.name for field in fields(algorithm.Args)}
        return {"evaluations": 20} if counted else {}

    return few_designs
