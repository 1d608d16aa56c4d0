"""The page of benchmarks: ``python tests/benchmarks/make_page.py --peers PYTHON``.

PYTHON is one that has jumanji and pyscipopt, which pin other releases than lrmp does; what is not
installed is left out, with the reason. Times are processor time, so that they hold on a machine
that does other things too; ratios are of one run.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median
from unittest.mock import patch

import gymnasium as gym
import numpy as np
import torch
from c_core import CoreInC
from page_timing import in_turn, method, peak_bytes, seconds, table

from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.examples import Examples
from lrmp.accuracy.lab.models import load_model
from lrmp.accuracy.lab.quantization import integer_product
from lrmp.accuracy.lab.subject import Subject
from lrmp.baselines.running.algorithms import load_algorithm
from lrmp.envs import load_task, make_task
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.task.environment_id import environment_id
from lrmp.hardware import CostModel, Layer, Network, load_preset
from lrmp.hardware.networks.catalogue import NETWORKS
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.precision import PRECISION
from lrmp.plotting.design_plot import new_figure
from lrmp.solvers import ReplicationBatch, solve_batch, solve_exact, solve_ilp
from lrmp.solvers.replication.choices import Choices
from lrmp.solvers.replication.designs import solve_designs

ROOT = Path(__file__).parents[2]
METHODS = {"compiled": "always", "NumPy": "never"}
EPISODES = 256
OBJECTIVES = {"latency": "", "throughput": "-Throughput", "energy": "-Energy", "EDP": "-EDP"}
FAMILIES = {
    "precision": "LRMP-ResNet20-v0",
    "ADC": "LRMP-ResNet20-ADC-v0",
    "float": "LRMP-ResNet20-Float-v0",
    "precision, LeNet": "LRMP-LeNet-v0",
    "noise, LeNet": "LRMP-LeNet-Noise-v0",
    "block, LeNet": "LRMP-LeNet-Block-v0",
    "precision, MLP": "LRMP-MLP-v0",
    "circulant, MLP": "LRMP-MLP-Circulant-v0",
}
COMMANDS = (["--help"], ["envs"], ["optimum", "LRMP-ResNet18-v0"], ["train", "ddpg", "--help"])


def large_language_model(blocks=32, positions=2048):
    """The matrices of a LLaMA-7B: 225 layers."""
    sizes = [(4096, 4096)] * 4 + [(4096, 11008)] * 2 + [(11008, 4096)]
    layers = [
        Layer(f"{block}.{number}", "linear", rows, columns, positions)
        for block in range(blocks)
        for number, (rows, columns) in enumerate(sizes)
    ]
    return Network("llama7b", (*layers, Layer("head", "linear", 4096, 32000, positions)))


def tasks_of_the_oracle():
    """Name, cost model, budget and how many problems, of every row."""
    for name in ("ResNet18", "ResNet50", "MobileNetV2", "ResNet101-Predicted"):
        task = load_task(f"LRMP-{name}-v0")
        yield name, task.cost_model, task.budget, EPISODES
    model = CostModel(large_language_model(), load_preset("lrmp_frontiers_2024"))
    yield "LLaMA-7B", model, 850_000, 16


def oracle_rows():
    try:
        core = CoreInC()
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(f"without C: {error}")
        core = None
    for name, model, budget, count in tasks_of_the_oracle():
        drawn = model.space.sample(np.random.default_rng(0), len(model.network), count)
        batch = ReplicationBatch.of(model, drawn, budget, "latency")
        problems = [batch.problem(row) for row in range(min(count, 32))]
        run, copies = core.prepare(batch) if core else (lambda: None, None)
        with method("always"):
            in_c, compiled = in_turn([run, lambda b=batch: solve_batch(b)])
            scalar = seconds(lambda p=problems: [solve_exact(each) for each in p])
            assert core is None or (solve_batch(batch) == copies).all()
        with method("never"):
            numpy = seconds(lambda b=batch: solve_batch(b), 3)
            one = seconds(lambda p=problems: [solve_exact(each) for each in p], 3)
        us = [1e6 * each / count for each in (in_c, compiled, numpy)]
        ones = [1e6 * each / len(problems) for each in (scalar, one)]
        yield (
            name,
            len(model.network),
            *(f"{us[0]:.1f}" if core else "no compiler", f"{us[1]:.1f}"),
            f"**{us[1] / us[0]:.2f}**" if core else "",
            *(f"{us[2]:.1f}", f"{ones[0]:.1f}", f"{ones[1]:.1f}"),
        )


def objective_rows():
    for name, suffix in OBJECTIVES.items():
        task = load_task(f"LRMP-ResNet18{suffix}-v0")
        drawn = task.space.sample(np.random.default_rng(0), 21, EPISODES)
        row = [name]
        for choice in METHODS.values():
            with method(choice):
                taken = seconds(lambda t=task, d=drawn: solve_designs(t.poser, d), 3)
            row.append(f"{1e6 * taken / EPISODES:.1f}")
        yield row


def knapsacks(problems):
    """The problems as other solvers take them."""
    for problem in problems:
        choices = Choices.of(problem)
        edges = list(zip(choices.start[:-1], choices.start[1:], strict=True))
        yield {
            "capacity": problem.budget,
            "blocks": [
                [choices.tiles[a:b].tolist(), choices.cycles[a:b].tolist()] for a, b in edges
            ],
        }


def highs(knapsack):
    """The least cost, by HiGHS through SciPy."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    sizes = [len(weights) for weights, _ in knapsack["blocks"]]
    weights, costs = (np.concatenate(each) for each in zip(*knapsack["blocks"], strict=True))
    rows = np.repeat(np.arange(len(sizes)), sizes)
    one = csr_array((np.ones(len(rows)), (rows, np.arange(len(rows)))))
    constraints = [LinearConstraint(one, 1, 1), LinearConstraint(weights, ub=knapsack["capacity"])]
    found = milp(
        costs, integrality=np.ones(len(costs)), bounds=Bounds(0, 1), constraints=constraints,
        options={"mip_rel_gap": 0},
    )  # fmt: skip
    return round(found.fun)


def solver_rows(peers, problems, posed):
    with method("always"):
        ours = seconds(lambda: [solve_exact(problem) for problem in problems]) / len(problems)
    with method("never"):
        numpy = seconds(lambda: [solve_exact(problem) for problem in problems]) / len(problems)
    values = [solve_exact(p).objective_value - int(p.fixed_cycles.sum()) for p in problems]
    cp_sat = median(seconds(lambda p=p: solve_ilp(p, canonical=False), 1, 0) for p in problems)
    milp = median(seconds(lambda k=k: highs(k), 1, 0) for k in posed)
    assert [highs(knapsack) for knapsack in posed] == values
    rows = [("lrmp, compiled", ours), ("lrmp, NumPy", numpy), ("CP-SAT (OR-Tools)", cp_sat)]
    rows += [(f"HiGHS (SciPy {version('scipy')})", milp)]
    found = peers["SCIP"]
    if "skipped" not in found:
        assert found["values"] == values
        rows.append((f"SCIP {found['version']}", found["seconds"]))
    yield from ((name, f"{1e3 * taken:.3f}", f"{taken / ours:,.0f}") for name, taken in rows)
    if "skipped" in found:
        yield "SCIP", f"skipped: {found['skipped']}", ""


def vector_run(env_id, episodes=EPISODES, **settings):
    """A function that plays whole episodes, and how many steps it takes."""
    env = gym.make_vec(env_id, episodes, autoreset_mode="SameStep", **settings)
    env.reset(seed=0)
    inner = env.unwrapped
    steps = min(inner.longest_episode, len(inner.dynamics) if hasattr(inner, "dynamics") else 20)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(steps)]

    def play():
        for action in actions:
            env.step(action)

    return play, episodes * steps


def cartpole_run(steps=21):
    env = gym.make_vec("CartPole-v1", EPISODES)
    env.reset(seed=0)
    actions = [np.full(EPISODES, step % 2) for step in range(steps)]
    return lambda: [env.step(action) for action in actions], EPISODES * steps


def steps_per_second(env_id, **settings):
    """Steps of a vector, and the ratio to CartPole's, which takes turns with it."""
    (play, steps), (balance, balanced) = vector_run(env_id, **settings), cartpole_run()
    for _ in range(3):
        play()
    ours, theirs = in_turn([play, balance], 5)
    return steps / ours, (steps / ours) / (balanced / theirs)


def vector_rows(named):
    first = {}
    for name, env_id in named.items():
        if name.startswith("precision"):  # with another network
            first.clear()
        row = [name, f"`{env_id}`"]
        for choice in METHODS.values():
            with method(choice):
                speed, ratio = steps_per_second(env_id)
            share = speed / first.setdefault(choice, speed)
            row += [f"{speed:,.0f}", f"{ratio:.2f}", f"{share:.2f}"]
        yield row


def peer_rows(peers):
    balance, steps = cartpole_run()
    theirs = steps / seconds(balance)
    yield f"CartPole-v1, vector (Gymnasium {version('gymnasium')})", f"{theirs:,.0f}"
    for name in ("Knapsack-v1", "BinPack-v2"):
        found = peers[name]
        if "skipped" in found:
            yield f"{name} (jumanji)", f"skipped: {found['skipped']}"
        else:
            yield (
                f"{name} (jumanji {found['version']}, jitted, random play)",
                f"{found['steps_per_s']:,.0f}",
            )


def form_rows():
    """Forms that ask the oracle at every step: one environment, and many side by side."""
    for task_id in ("LRMP-LeNet-v0", "LRMP-ResNet18-v0", "LRMP-ResNet50-v0"):
        for form in ("Refine", "OneShot"):
            env_id, row = environment_id(task_id, form), []
            for choice in METHODS.values():
                with method(choice):
                    env = gym.make(env_id)
                    env.action_space.seed(0)
                    actions = [env.action_space.sample() for _ in range(60)]
                    row.append(f"{60 / seconds(lambda e=env, a=actions: walk(e, a), 5):,.0f}")
                    play, steps = vector_run(env_id)
                    row.append(f"{steps / seconds(play, 3):,.0f}")
            yield f"`{env_id}`", *row


def walk(env, actions):
    env.reset(seed=0)
    for action in actions:
        if env.step(action)[2]:
            env.reset()


#: PPO's fast setting, as its options say.
FAST = {"num_envs": EPISODES, "epochs": 1, "minibatches": 8, "hidden": 64, "learning_rate": 3e-3}


def learning_rows():
    for name, choice in METHODS.items():
        with method(choice):
            for label, settings in {
                "4 epochs": {"num_envs": EPISODES, "epochs": 4},
                "10 epochs": {"num_envs": EPISODES, "epochs": 10},
                "fast setting": FAST,
            }.items():
                # Starting is what the shorter run takes, too.
                few, many = EPISODES, 5 * EPISODES
                taken = trained("ppo", many, 2, **settings) - trained("ppo", few, 2, **settings)
                speed = f"{(many - few) * 21 / taken:,.0f} steps/s"
                yield f"PPO, 256 episodes, {label}, {name}", speed
            taken = trained("ddpg", 40, 1)  # the first 20 designs take next to nothing
            yield f"DDPG, 600 designs, {name}", f"{taken * 580 / 20:.1f} s"


def trained(name, evaluations, repeats, **changes):
    algorithm = load_algorithm(name)
    with tempfile.TemporaryDirectory() as folder:
        folders = iter(range(9))

        def run():
            out = Path(folder) / str(next(folders))
            args = algorithm.Args(
                env_id="LRMP-ResNet18-v0", evaluations=evaluations, runs_dir=out, **changes
            )
            algorithm.train(args, progress=False)

        return seconds(run, repeats)


def search_rows(designs=10_000):
    task = load_task("LRMP-ResNet18-v0")
    dynamics, drawn = Dynamics(task), task.space.sample(np.random.default_rng(0), 21, designs)
    for batch, who in {1: "annealing", 10: "genetic", 15: "CMA-ES", 1000: "random"}.items():
        row = [batch, who]
        for choice in METHODS.values():
            count = designs if batch > 1 else designs // 5
            with method(choice):
                dynamics.scores(drawn[:50])
                taken = seconds(
                    lambda c=count, b=batch: [
                        dynamics.scores(drawn[a : a + b]) for a in range(0, c, b)
                    ],
                    1,
                    0,
                )
            row.append(f"{taken * designs / count:.2f}")
        yield row


#: Networks in the loop, and how many images the page runs them on.
IN_THE_LOOP = {"lenet": 5000, "resnet20": 500, "resnet18": 100}


def speed_in_the_loop(evaluator, designs, at_a_time):
    def run():
        for start in range(0, len(designs), at_a_time):
            evaluator.evaluate_all(designs[start : start + at_a_time], "search")

    return 60 * len(designs) / seconds(run, 3)


def loop_rows(designs=20):
    """Designs a minute on one core, of weights and images as they are drawn."""
    torch.set_num_threads(1)
    for name, count in IN_THE_LOOP.items():
        rng, model = np.random.default_rng(0), load_model(name)
        drawn = rng.normal(0, 1, (count, *model.input_shape)).astype(np.float32)
        images = Examples(drawn)
        evaluator = NetworkEvaluator(Subject("drawn", model, images, images))
        layers = len(evaluator.layers)
        ones = np.ones(layers, np.int64)
        apart = [Design(PRECISION, PRECISION.sample(rng, layers), ones) for _ in range(designs)]
        alike = []
        for _ in range(designs):  # each has a tenth of the layers of its own, at least one
            settings = apart[0].settings.copy()
            own = rng.random(layers) < 0.1
            own[rng.integers(layers)] = True
            settings[own] = PRECISION.sample(rng, layers)[own]
            alike.append(Design(PRECISION, settings, ones))
        few = apart[:5]
        evaluator.evaluate(few[0], "search")  # loads and calibrates
        with patch.object(integer_product, "kernels_are_exact", lambda: False):
            speeds = [speed_in_the_loop(evaluator, few, 1)]
        speeds += [speed_in_the_loop(evaluator, few, 1), speed_in_the_loop(evaluator, alike, 20)]
        ratios = [f"{speed / speeds[0]:.1f}" for speed in speeds[1:]]
        yield (
            *(NETWORKS[name].label, f"{count:,}", f"{speeds[0]:,.0f}", f"{speeds[1]:,.0f}"),
            *(ratios[0], f"{speeds[2]:,.0f}", ratios[1]),
        )


def start_rows():
    """Processor seconds of fresh processes."""
    code = {
        "`import gymnasium`": ["-c", "import gymnasium"],
        "`import gymnasium, lrmp`": ["-c", "import gymnasium, lrmp"],
    }
    code |= {f"`lrmp {' '.join(words)}`": ["-m", "lrmp", *words] for words in COMMANDS}
    allowed = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for name, words in code.items():
        taken = []
        for _ in range(4):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *words], check=True, capture_output=True, env=allowed)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        yield name, f"{median(taken[1:]):.2f}"


def deep_task(layers):
    """A task of the first layers of a LLaMA-7B and a made-up accuracy."""
    network = large_language_model()
    points = {"*": [4.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0]}
    return make_task(
        Network(f"llama7b-{layers}", network.layers[:layers]),
        accuracy={"weight_bits": points, "activation_bits": points, "provenance": "made up"},
    )


def draw_scaling(path):
    """Plot time and memory against episodes and layers."""
    panels = {
        "episodes side by side (ResNet-18)": [
            (count, "LRMP-ResNet18-v0", {"episodes": count})
            for count in (1, 4, 16, 64, 256, 1024, 4096)
        ],
        "layers (of a LLaMA-7B; 64 episodes)": [
            (layers, "LRMP-Custom-v0", {"episodes": 64, "task": deep_task(layers)})
            for layers in (4, 14, 56, 112, 225)
        ],
    }
    figure = new_figure(9, 6)
    axes = figure.subplots(2, len(panels))
    for column, (label, cells) in enumerate(panels.items()):
        for name, choice in METHODS.items():
            points = []
            for size, env_id, settings in cells:
                with method(choice):
                    play, steps = vector_run(env_id, **settings)
                    memory = peak_bytes(play)
                    points.append((size, 1e6 * seconds(play, 3) / steps, memory / 2**20))
            sizes, micros, mebibytes = zip(*points, strict=True)
            axes[0, column].loglog(sizes, micros, "o-", label=name)
            axes[1, column].loglog(sizes, mebibytes, "o-", label=name)
        axes[0, column].set_ylabel("processor time per step (us)")
        axes[1, column].set_ylabel("peak memory of an episode (MiB)")
        for panel in axes[:, column]:
            panel.set_xlabel(label)
            panel.grid(alpha=0.3)
            panel.legend()
    figure.savefig(path, dpi=110)


def profile_rows():
    """Where the time of a vector environment goes."""
    import cProfile
    import pstats
    import time

    with method("always"):
        play, _ = vector_run("LRMP-ResNet18-v0")
        for _ in range(3):
            play()
        profile = cProfile.Profile(time.process_time)
        profile.runcall(lambda: [play() for _ in range(10)])
    stats = pstats.Stats(profile)
    total = stats.total_tt
    parts = {
        "compiled oracle": ("compiled.py", "solve_many"),
        "scores of finished designs, with the oracle": ("dynamics.py", "scores"),
        "a step of all episodes, with the scores": ("layerwise_vector.py", "_advance"),
        "observations": ("layerwise_vector.py", "_observe"),
        "infos": ("vector.py", "_pack"),
        "checks of actions": ("vector.py", "_checked"),
    }
    for name, (file, function) in parts.items():
        spent = sum(
            entry[3]
            for (where, _, who), entry in stats.stats.items()
            if where.endswith(f"/{file}") and who == function
        )
        yield name, f"{100 * spent / total:.0f} %"


def ask_peers(python, posed):
    asked = {"episodes": EPISODES, "steps": 100, "knapsacks": posed}
    answer = subprocess.run(
        [python, Path(__file__).with_name("peers.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--peers", default=sys.executable, help="a Python with other libraries")
    args = parser.parse_args()
    task = load_task("LRMP-ResNet18-v0")
    drawn = task.space.sample(np.random.default_rng(1), 21, 12)
    problems = [task.poser(design) for design in drawn]
    posed = list(knapsacks(problems))
    tables = {
        "oracle": table(
            (
                *("network", "layers", "C, batch", "compiled, batch", "compiled / C"),
                *("NumPy, batch", "compiled, one by one", "NumPy, one by one"),
            ),
            oracle_rows(),
        ),
        "objectives": table(("objective", *METHODS), objective_rows()),
        "vectors": table(
            (
                *("objective", "environment", "compiled, steps/s", "/ CartPole", "/ latency"),
                *("NumPy, steps/s", "/ CartPole", "/ latency"),
            ),
            vector_rows({k: f"LRMP-ResNet18{v}-v0" for k, v in OBJECTIVES.items()}),
        ),
        "families": table(
            (
                *("family", "environment", "compiled, steps/s", "/ CartPole", "/ precision"),
                *("NumPy, steps/s", "/ CartPole", "/ precision"),
            ),
            vector_rows(FAMILIES),
        ),
        "forms": table(
            (
                *("environment", "compiled, steps/s", "256 side by side"),
                *("NumPy, steps/s", "256 side by side"),
            ),
            form_rows(),
        ),
        "learning": table(("training", "speed"), learning_rows()),
        "search": table(("designs at a time", "as in", *METHODS), search_rows()),
        "loop": table(
            (
                *("network", "images", "float", "integers", "/ float"),
                *("integers, 20 side by side", "/ float"),
            ),
            loop_rows(),
        ),
        "start": table(("process", "processor seconds"), start_rows()),
        "profile": table(("part", "share of the time"), profile_rows()),
    }
    peers = ask_peers(args.peers, posed)
    tables["peers"] = table(("environment, 256 side by side", "steps/s"), peer_rows(peers))
    tables["solvers"] = table(("solver", "ms", "/ compiled"), solver_rows(peers, problems, posed))
    draw_scaling(args.out.with_name("benchmarks-scaling.png"))
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    about = (
        f"{platform.machine()}, {os.cpu_count()} cores, {load:.1f} runnable processes a core; "
        f"Python {platform.python_version()}, NumPy {version('numpy')}, Numba {version('numba')}"
    )
    template = Path(__file__).with_name("page_template.md").read_text("utf-8")
    args.out.write_text(template.format(about=about, **tables), "utf-8")
    print(args.out)


if __name__ == "__main__":
    main()
