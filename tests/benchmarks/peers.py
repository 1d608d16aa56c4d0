"""Other libraries, in whatever Python has them: reads JSON, writes JSON; needs no lrmp.

What does not import here is left out, with the reason.
"""

import json
import os
import sys
import time
from statistics import median

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)


def jumanji_steps(name, episodes, steps):
    """Steps per processor second of random play, jitted, side by side."""
    import jax
    import jax.numpy as jnp
    import jumanji
    from jumanji.wrappers import VmapAutoResetWrapper

    env = VmapAutoResetWrapper(jumanji.make(name))

    def play(state, mask, key):
        flat = mask.reshape(episodes, -1)
        chosen = jax.random.categorical(key, jnp.where(flat, 0.0, -jnp.inf))
        if mask.ndim > 2:
            chosen = jnp.stack(jnp.unravel_index(chosen, mask.shape[1:]), axis=-1)
        state, timestep = env.step(state, chosen)
        return state, timestep.observation.action_mask

    play = jax.jit(play)
    keys = jax.random.split(jax.random.PRNGKey(0), episodes)
    state, timestep = jax.jit(env.reset)(keys)
    mask, taken = timestep.observation.action_mask, []
    for turn in range(7):
        start = time.process_time()
        for step in range(steps):
            state, mask = play(state, mask, jax.random.PRNGKey(turn * steps + step))
        jax.block_until_ready(mask)
        taken.append(time.process_time() - start)
    return {"steps_per_s": episodes * steps / median(taken[1:]), "version": jumanji.__version__}


def scip(knapsacks):
    """Processor seconds of SCIP for multiple-choice knapsacks, and their values."""
    import pyscipopt

    taken, values = [], []
    for knapsack in knapsacks:
        start = time.process_time()
        model = pyscipopt.Model()
        model.hideOutput()
        model.setParam("limits/gap", 0.0)
        objective, used = 0, 0
        for weights, costs in knapsack["blocks"]:
            chosen = [model.addVar(vtype="B") for _ in weights]
            model.addCons(pyscipopt.quicksum(chosen) == 1)
            objective += pyscipopt.quicksum(c * x for c, x in zip(costs, chosen, strict=True))
            used += pyscipopt.quicksum(w * x for w, x in zip(weights, chosen, strict=True))
        model.addCons(used <= knapsack["capacity"])
        model.setObjective(objective)
        model.optimize()
        taken.append(time.process_time() - start)
        values.append(round(model.getObjVal()))
    return {"seconds": median(taken), "values": values, "version": str(model.version())}


def main():
    asked = json.load(sys.stdin)
    runs = {
        "Knapsack-v1": lambda: jumanji_steps("Knapsack-v1", asked["episodes"], asked["steps"]),
        "BinPack-v2": lambda: jumanji_steps("BinPack-v2", asked["episodes"], asked["steps"]),
        "SCIP": lambda: scip(asked["knapsacks"]),
    }
    found = {}
    for name, run in runs.items():
        try:
            found[name] = run()
        except Exception as error:  # whatever another library raises is the reason
            found[name] = {"skipped": f"{type(error).__name__}: {error}"[:160]}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
