"""The registered workloads: several networks on one chip.

The analogue, on crossbar tiles, of accelerators that several networks share (Azizimazreah and Chen,
IEEE Transactions on Computers 71(3):534-546, 2022): what one network does not need another takes.

The budget is the tiles of all plain designs together, so that the plain chip fits exactly and a
gain says what the same area does when it is designed for all of them: were the tiles of every
network fixed at its own plain design's, no design could be better (a test holds it). The rates make
every network matter: on the plain chip each takes a part of a round of the same order.
"""

from dataclasses import dataclass

from lrmp.accuracy.model.factories import table_accuracy
from lrmp.envs.task.workload import Tenant, Workload
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.networks import NETWORKS, load_network

SHARED = "shared"

#: The objectives of shared chips, by what stands for them in an id.
SHARED_OBJECTIVES: dict[str, Objective] = {
    "": "latency",
    "-Throughput": "throughput",
    "-Weighted": "weighted_throughput",
}


@dataclass(frozen=True)
class SharedChip:
    """A workload with tasks.

    Attributes:
        label: In the ids of its tasks, such as ``"Shared-Edge"``.
        title: For people.
        rates: Inferences in a round by the name of the network, in order.
    """

    label: str
    title: str
    rates: dict[str, int]

    @property
    def layers(self) -> int:
        """How many all networks have, known without laying one out."""
        return sum(NETWORKS[name].layers for name in self.rates)

    def workload(self) -> Workload:
        """Build the workload.

        Returns:
            The networks with their measured tables, each allowed a point of accuracy.
        """
        return Workload(
            tuple(
                Tenant(load_network(name), table_accuracy, rate=rate)
                for name, rate in self.rates.items()
            )
        )


SHARED_CHIPS = (
    SharedChip(
        "Shared-Edge",
        "a cascade of small networks, of which each hands on one input in eight",
        {"resnet8": 1, "lenet": 8, "mlp": 64},
    ),
    SharedChip(
        "Shared-Vision",
        "three networks for ImageNet, the smallest twice as often",
        {"resnet18": 1, "mobilenet_v2": 1, "squeezenet1_1": 2},
    ),
)
