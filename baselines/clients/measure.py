"""What other libraries' agents learn: ``python -m lrmp.baselines.clients.measure docs/clients.md``.

Runs the code of the page, client by client, on seeds 1..SEEDS, and adds a row each to ``--out``;
what is there already is not repeated, and clients whose library is not installed are passed over:
run it once in each environment of ``.ci/clients``.
"""

import argparse
import csv
import importlib.util
import io
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch

from lrmp.envs import load_task, stored_optimum
from lrmp.errors import RunError
from lrmp.growing_file import read_whole_lines
from lrmp.whole_file import write_whole

#: Takes what an environment shows, and its info, and chooses the action.
Policy = Callable[[Any, Any], Any]
LAST = 100  # episodes at the end of a run whose mean return stands for its policy, if it keeps none


@dataclass(frozen=True)
class Client:
    """An agent of another library, as the page shows it.

    Its code is either Python that defines ``make()``, which builds the environment, and
    ``train(seed, episodes=...)``, which returns the trained policy; or one command that trains and
    prints ``episodic_return=`` after every episode, as CleanRL's scripts do.

    Attributes:
        package: Name under which its library is installed; a heading of the page.
        algorithm: A heading below.
        language: ``"python"`` or ``"sh"``.
        code: The block of code.
    """

    package: str
    algorithm: str
    language: str
    code: str

    @property
    def name(self) -> str:
        """Library and algorithm."""
        return f"{self.package} {self.algorithm}"

    @property
    def installed(self) -> bool:
        """Whether all that the code imports is there."""
        modules = re.findall(r"^(?:from|import) (\w+)|-m (\w+)", self.code, re.MULTILINE)
        return all(importlib.util.find_spec(first or second) for first, second in modules)


@dataclass(frozen=True)
class Measurement:
    """A run of a client.

    Attributes:
        client: Its library and algorithm.
        version: Of the library.
        gymnasium: Its version.
        task: What was solved.
        form: How actions are given, such as ``"flat"``, or ``"multi-agent"``.
        episodes: How many it was trained for.
        seed: Of the run.
        policy_return: Return of an episode of the trained policy; where the library keeps none,
            the mean of the last 100 episodes of training.
        seconds: Processor time of the training, without worker processes that the library starts.
    """

    client: str
    version: str
    gymnasium: str
    task: str
    form: str
    episodes: int
    seed: int
    policy_return: float
    seconds: float


def read_clients(page: Path) -> list[Client]:
    """Find the clients of a page.

    Args:
        page: ``docs/clients.md``.

    Returns:
        Those under a heading of level 3, in order.
    """
    blocks = re.finditer(
        r"^## (?P<library>[^\n]+)$|^### (?P<algorithm>[^\n]+)$"
        r"|^```(?P<language>python|sh)\n(?P<code>.*?)^```$",
        page.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    clients, library, algorithm = [], "", ""
    for block in blocks:
        if block["library"]:
            library, algorithm = block["library"], ""
        elif block["algorithm"]:
            algorithm = block["algorithm"]
        elif algorithm:
            clients.append(Client(library, algorithm, block["language"], block["code"]))
            algorithm = ""
    return clients


def play(env: Any, policy: Policy) -> float:
    """Play an episode, of one agent or of many.

    Args:
        env: An environment of Gymnasium, or a parallel one of PettingZoo, whose agents share a
            reward.
        policy: Chooses.

    Returns:
        The return.
    """
    observation, info = env.reset()
    total, ended = 0.0, False
    while not ended:
        observation, reward, terminated, truncated, info = env.step(policy(observation, info))
        if isinstance(reward, dict):
            reward = next(iter(reward.values()))
            ended = not env.agents
        else:
            ended = terminated or truncated
        total += float(reward)
    return total


def measure(client: Client, seed: int) -> Measurement:
    """Train a client.

    Args:
        client: Which.
        seed: Of the run.

    Returns:
        What came of it.

    Raises:
        RunError: If a command fails, or prints no return.
    """
    run = _run_python if client.language == "python" else _run_command
    task, form, episodes, policy_return, seconds = run(client, seed)
    library, gymnasium = version(client.package), version("gymnasium")
    return Measurement(
        client.name, library, gymnasium, task, form, episodes, seed, policy_return, seconds
    )


def _run_python(client: Client, seed: int) -> tuple[str, str, int, float, float]:
    """Run ``train`` and play what it returns."""
    torch.set_num_threads(1)  # sums of other numbers of threads differ, and small networks want one
    namespace: dict[str, Any] = {"__name__": client.name}
    exec(compile(client.code, client.name, "exec"), namespace)
    begun = time.process_time()
    policy = namespace["train"](seed)
    seconds = time.process_time() - begun
    (episodes,) = namespace["train"].__defaults__
    env = namespace["make"]()
    many = hasattr(env, "possible_agents")
    form = "multi-agent" if many else str(env.spec.kwargs.get("discrete", False))
    policy_return = play(env, policy)
    env.close()
    return env.unwrapped.task.id, form, episodes, policy_return, seconds


def _run_command(client: Client, seed: int) -> tuple[str, str, int, float, float]:
    """Run the command, its last argument being the seed, and read what it prints."""
    words = client.code.replace("\\\n", " ").split()
    words = [sys.executable if word == "python" else word for word in words]
    words[words.index("--seed") + 1] = str(seed)
    begun = os.times()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    ended = os.times()
    seconds = sum(ended[2:4]) - sum(begun[2:4])  # of child processes
    returns = [float(found) for found in re.findall(r"episodic_return=\[?([-\d.e]+)", done.stdout)]
    if done.returncode or not returns:
        raise RunError(f"Expected returns from {client.name}, got {done.stderr[-2000:]!r}.")
    task = load_task(words[words.index("--env-id") + 1].removeprefix("lrmp:"))
    last = returns[-LAST:]
    return task.id, "False", len(returns), math.fsum(last) / len(last), seconds


def read_measurements(path: Path) -> list[Measurement]:
    """Read what is stored.

    Args:
        path: A CSV file; it need not be there.

    Returns:
        Its rows.
    """
    kinds: dict[str, Any] = {field.name: field.type for field in fields(Measurement)}
    return [
        Measurement(**{name: kinds[name](value) for name, value in row.items()})
        for row in csv.DictReader(read_whole_lines(path))
    ]


def write_measurements(path: Path, rows: list[Measurement]) -> None:
    """Store what was measured.

    Args:
        path: A CSV file, made or replaced.
        rows: All of it.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, [field.name for field in fields(Measurement)], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(
        asdict(row) | {"policy_return": f"{row.policy_return:.4f}", "seconds": f"{row.seconds:.0f}"}
        for row in rows
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.getvalue())


FORMS = {"False": "`Box`", "True": "`MultiDiscrete`", "flat": "`Discrete`"}


def format_measurements(path: Path) -> Iterator[str]:
    """Write the page's table.

    Args:
        path: The stored file.

    Yields:
        Its lines.
    """
    yield (
        "| client | version | Gymnasium | task | actions | episodes | seeds | median return "
        "(lowest to highest) | best constant | optimum | seconds |"
    )
    yield f"|{' --- |' * 11}"
    groups: dict[str, list[Measurement]] = {}
    for row in read_measurements(path):
        groups.setdefault(row.client, []).append(row)
    for name, rows in groups.items():
        first, task = rows[0], load_task(rows[0].task)
        optimum = stored_optimum(task)
        assert optimum is not None
        assert optimum.constant is not None
        returns = [row.policy_return for row in rows]
        yield (
            f"| {name} | {first.version} | {first.gymnasium} | `{task.id}` "
            f"| {FORMS.get(first.form, first.form)} | {first.episodes} | {len(rows)} "
            f"| {median(returns):.3f} ({min(returns):.3f} to {max(returns):.3f}) "
            f"| {optimum.constant.value:.3f} | {optimum.value:.3f} "
            f"| {median(row.seconds for row in rows):.0f} |"
        )


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/results/clients/clients.csv"))
    parser.add_argument("--seeds", type=int, default=3, help="seeds 1..SEEDS")
    parser.add_argument("--only", nargs="*", help="libraries; default: all installed")
    options = parser.parse_args()
    for client in read_clients(options.page):
        if not client.installed or (options.only and client.package not in options.only):
            continue
        for seed in range(1, options.seeds + 1):
            stored = {(row.client, row.seed) for row in read_measurements(options.out)}
            if (client.name, seed) in stored:
                continue
            row = measure(client, seed)
            print(f"{row.client}, seed {seed}: {row.policy_return:.3f} in {row.seconds:.0f} s")
            write_measurements(options.out, [*read_measurements(options.out), row])


if __name__ == "__main__":
    main()
