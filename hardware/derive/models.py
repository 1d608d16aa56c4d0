"""The models of every component, in the order in which they are asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from lrmp.hardware.derive.component_library import Called, call, metres, scale
from lrmp.hardware.derive.estimate import Estimate, ModelError

_LIBRARY, _ADC, _CACTI = "hwcomponents-library", "hwcomponents-adc", "hwcomponents-cacti"
#: Between which the library for CACTI interpolates.
CACTI_NM = 22, 90
_ISAAC_NM = 32
_ISAAC_CELL_FJ, _ISAAC_CELL_UM2 = 0.3e-3 * 100e-9 / 128**2 * 1e15, 25 / 128**2


@dataclass(frozen=True, slots=True)
class Asked:
    """What a model is asked for.

    Attributes:
        node_nm: Technology node.
        values: Of the quantities of the component.
    """

    node_nm: int
    values: Mapping[str, float]

    def __getitem__(self, key: str) -> float:
        return self.values[key]

    def bits(self, key: str) -> int:
        """Return a quantity that is a whole number.

        Args:
            key: Its name.

        Returns:
            The number.
        """
        return int(self.values[key])

    @property
    def node(self) -> float:
        """The technology node in metres."""
        return metres(self.node_nm)


def survey_adc(asked: Asked) -> Estimate:
    """Ask the regression over a survey of ADCs: the best of them, at this rate.

    A fifth of the energy is leakage there, and stands apart.

    Args:
        asked: ``bits`` and ``rate_msps``.

    Returns:
        One conversion.
    """
    rate = asked["rate_msps"] * 1e6
    adc = call(
        _ADC, "hwcomponents_adc.main", "ADC", n_bits=asked.bits("bits"), tech_node=asked.node,
        throughput=rate,
    )  # fmt: skip
    return _whole(adc, "convert")


def isaac_adc(asked: Asked) -> Estimate:
    """Ask for ISAAC's ADC, which doubles with every bit.

    Args:
        asked: ``bits``.

    Returns:
        One conversion.
    """
    return _whole(_of_library("isaac", "IsaacADC", asked, resolution=asked.bits("bits")), "convert")


def forms_adc(asked: Asked) -> Estimate:
    """Ask for the ADC of FORMS, which doubles with every bit.

    Args:
        asked: ``bits``.

    Returns:
        One conversion.
    """
    return _whole(_of_library("forms", "FormsADC", asked, resolution=asked.bits("bits")), "convert")


def isaac_dac(asked: Asked) -> Estimate:
    """Ask for ISAAC's DAC.

    Args:
        asked: ``bits``.

    Returns:
        One row driven.
    """
    return _whole(_of_library("isaac", "IsaacDAC", asked, resolution=asked.bits("bits")), "convert")


def row_wire(asked: Asked) -> Estimate:
    """Ask for the wire of a row alone, which any driver must charge.

    Args:
        asked: ``row_um``.

    Returns:
        One row driven; no area or leakage.
    """
    return _wire(asked, asked["row_um"])


def isaac_buffer(asked: Asked) -> Estimate:
    """Ask for ISAAC's eDRAM.

    Args:
        asked: ``size_kib`` and ``width_bits``.

    Returns:
        One bit read.
    """
    width = asked.bits("width_bits")
    size = asked.bits("size_kib") * 8192
    return _whole(_of_library("isaac", "IsaacEDRAM", asked, width=width, size=size), "read", width)


def cacti_buffer(asked: Asked) -> Estimate:
    """Ask CACTI for an SRAM.

    Args:
        asked: ``size_kib`` and ``width_bits``.

    Returns:
        One bit read.

    Raises:
        ModelError: If CACTI does not run.
    """
    width = asked.bits("width_bits")
    return _sram(asked, width, asked.bits("size_kib") * 8192, width)


def aladdin_register(asked: Asked) -> Estimate:
    """Ask for a register of Aladdin's.

    Args:
        asked: ``bits``.

    Returns:
        One read of all bits.
    """
    return _whole(
        _of_library("aladdin", "AladdinRegister", asked, width=asked.bits("bits")), "read"
    )


def cacti_register(asked: Asked) -> Estimate:
    """Ask CACTI for an SRAM of one word.

    Args:
        asked: ``bits``.

    Returns:
        One read of all bits.

    Raises:
        ModelError: If CACTI does not run.
    """
    return _sram(asked, asked.bits("bits"), asked.bits("bits"), 1)


def isaac_shift_add(asked: Asked) -> Estimate:
    """Ask for ISAAC's shift-and-add.

    Args:
        asked: ``bits``.

    Returns:
        One addition.
    """
    adder = _of_library("isaac", "IsaacShiftAdd", asked, width=asked.bits("bits"))
    return _whole(adder, "shift_add")


def aladdin_adder(asked: Asked) -> Estimate:
    """Ask for an adder of Aladdin's.

    Args:
        asked: ``bits``.

    Returns:
        One addition.
    """
    return _whole(_of_library("aladdin", "AladdinAdder", asked, width=asked.bits("bits")), "add")


def isaac_router(asked: Asked) -> Estimate:
    """Ask for ISAAC's router.

    Args:
        asked: ``width_bits``.

    Returns:
        One bit over a router.
    """
    width = asked.bits("width_bits")
    return _whole(_of_library("isaac", "IsaacRouter", asked, width=width), "transfer", width)


def hop_wire(asked: Asked) -> Estimate:
    """Ask for the wire of a hop alone.

    Args:
        asked: ``hop_um``.

    Returns:
        One bit over the wire; no area or leakage.
    """
    return _wire(asked, asked["hop_um"])


def ohmic_cell(asked: Asked) -> Estimate:
    """Compute a read from Ohm's law, half of the cells on, and ask for the wire of a column.

    ``V**2 * (1 / R_on + 1 / R_off) / 2 * t``, and a cell's share of the column's wire at V.

    Args:
        asked: ``read_mv``, ``on_kohm``, ``off_kohm``, ``read_ns`` and ``cell_f2``.

    Returns:
        One cell in one input step; non-volatile, so without leakage.
    """
    volt = asked["read_mv"] * 1e-3
    mean_s = (1e-3 / asked["on_kohm"] + 1e-3 / asked["off_kohm"]) / 2
    current_fj = volt**2 * mean_s * asked["read_ns"] * 1e-9 * 1e15
    area_um2 = asked["cell_f2"] * (asked.node_nm / 1000) ** 2
    wire = _wire(asked, sqrt(area_um2), volt)
    source = (
        f"Ohm's law: ({asked['read_mv']:g} mV)^2 for {asked['read_ns']:g} ns, half of the cells at "
        f"{asked['on_kohm']:g} and half at {asked['off_kohm']:g} kOhm, {current_fj:.4g} fJ; and "
        f"{wire.source}; area: {asked['cell_f2']:g} F2; non-volatile"
    )
    return Estimate(current_fj + wire.energy_fj, source, area_um2, 0.0)


def isaac_cell(asked: Asked) -> Estimate:
    """Move ISAAC's crossbar to the node.

    Args:
        asked: Nothing but the node.

    Returns:
        One cell in one input step.
    """
    energy, how = scale("tech_node_energy", asked.node_nm, _ISAAC_NM)
    area, how_area = scale("tech_node_area", asked.node_nm, _ISAAC_NM)
    table = "ISAAC, Table 1: 0.3 mW x 100 ns and 25 um2 for 128 x 128 cells"
    source = f"{table}, times {how} and {how_area}"
    return Estimate(_ISAAC_CELL_FJ * energy, source, _ISAAC_CELL_UM2 * area, 0.0)


def _place(module: str) -> str:
    return ".".join(("hwcomponents_library", "library", module))


def _of_library(module: str, name: str, asked: Asked, **arguments: int) -> Called:
    return call(_LIBRARY, _place(module), name, tech_node=asked.node, **arguments)


def _whole(called: Called, action: str, bits: int = 1) -> Estimate:
    """Take energy, area and leakage of a component."""
    per = f" / {bits}" if bits > 1 else ""
    source = f"{called.citation}: {action}{per}"
    energy = called.energy_fj(action, bits)
    return Estimate(energy, source, called.area_um2, called.leakage_uw)


def _wire(asked: Asked, length_um: float, volt: float | None = None) -> Estimate:
    """Take the energy of a wire's capacitance."""
    length = float(f"{length_um:.6g}e-6")
    more = {} if volt is None else {"voltage": volt}
    wire = call(_LIBRARY, _place("misc"), "Wire", length=length, tech_node=asked.node, **more)
    return Estimate(wire.energy_fj("read"), f"{wire.citation}: read, the wire alone")


def _sram(asked: Asked, width: int, size: int, bits: int) -> Estimate:
    """Let CACTI run, which is a program of its own."""
    least, most = CACTI_NM
    if not least <= asked.node_nm <= most:
        raise ModelError(f"CACTI knows nodes of {least} to {most} nm")
    try:
        sram = call(
            _CACTI, "hwcomponents_cacti.hwcomponents_cacti", "SRAM", tech_node=asked.node,
            width=width, size=size,
        )  # fmt: skip
        return _whole(sram, "read", bits)
    except ImportError:
        raise
    except Exception as error:  # the package raises no class of its own
        raise ModelError(
            "CACTI, the program in hwcomponents-cacti, does not run here; build it anew from the "
            "sources beside it: make opt in the package's folder cacti"
        ) from error
