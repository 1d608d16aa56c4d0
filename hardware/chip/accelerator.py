"""The chip: geometry, mapping, timing, energies and components."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from math import ceil, isqrt
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from lrmp.errors import PresetError
from lrmp.hardware.chip.adc import adc_bits, sar_ratio
from lrmp.hardware.chip.cell_noise import DeviceNoise
from lrmp.hardware.chip.component import Component, Level, Part
from lrmp.hardware.chip.event_energies import EventEnergies
from lrmp.hardware.chip.provenance import Provenance
from lrmp.hardware.chip.technology import area_ratio, energy_ratio
from lrmp.hardware.given_fields import given_fields
from lrmp.hardware.short_repr import short_name, short_repr


@dataclass(frozen=True, slots=True)
class Accelerator:
    """An in-memory-computing chip of crossbar tiles.

    One tile is one crossbar with its converters; a core is a group of tiles that share a buffer,
    a bus and a router. Inputs stream in ``dac_bits`` at a time; a crossbar drives ``active_rows``
    rows at once and each of its ADCs reads ``columns_per_adc`` columns one after the other.
    `Mapping`, `Latency` and `Energy` say what is counted from these numbers.

    Attributes:
        name: Name of the preset, or any name of your own.
        crossbar_rows: R, word lines of a crossbar.
        crossbar_columns: C, bit lines of a crossbar.
        cell_bits: Bits held by one cell, 1..4.
        dac_bits: Input bits applied per input step, 1..8.
        active_rows: Rows driven at the same time.
        columns_per_adc: Columns that share one ADC.
        clock_mhz: Clock in MHz, in whose cycles all times are given; any number above 0.
        output_elements_per_cycle: Output elements that leave a layer (or, see ``output_path``, a
            copy) per cycle; 0 leaves the output path out of the model.
        technology_nm: Node of the energies and areas; 0 where there are none.
        slice_placement: Whether the bit slices of a weight sit on crossbars of their own
            (``"separate"``) or in neighbouring columns (``"packed"``).
        weight_encoding: How signed weights are stored: shifted to be positive (``"offset"``), or
            as the difference of two columns or two rows.
        reference_columns: Columns that each block of an offset-encoded layer adds for the sum of
            its inputs; 0 where it is computed digitally.
        adc_resolution_bits: Resolution of the ADCs; 0 for what loses nothing.
        adc: What follows where a layer's columns hold so few weights that fewer bits lose nothing
            (`Conversion`): nothing (``"fixed"``), time and energy of a successive-approximation ADC
            that stops early (``"early-stop"``), or also area and leakage, since the tiles of every
            layer have ADCs of their own (``"per-layer"``). ``"none"``: the columns add up digitally
            and without loss, so that a conversion is the sum of a column.
        shared_work: What copies share: output positions, or also the row groups of each position,
            whose partial sums are then added outside the crossbar.
        weight_loading: ``"stationary"``: all weights sit in tiles at the same time.
            ``"time-multiplexed"``: the layers take turns on the ``tiles``, and a layer too large
            for them takes several rounds; every round writes its weights first.
        dynamic_matmul: Where products of two activations run: on the digital unit, or on tiles to
            which one operand is written in every inference (``"rewrite"``).
        tiles: Tiles on the published chip; 0 where there is none. Tasks set budgets of their own.
        tiles_per_core: Tiles that share a core's components.
        idle_power: Whether tiles leak while their layer does not run: ``"gated"`` (non-volatile
            cells keep their weights without power) or ``"leaking"`` (then all ``tiles`` do).
        read_cycles: Settling or integration of one analog read, before its conversions.
        conversion_cycles: Cycles of one conversion.
        conversions_per_cycle: Conversions of one ADC per cycle, for ADCs faster than the clock; it
            need not be whole.
        input_bits_per_cycle: Bits that a tile's input register takes per cycle; 0 leaves the input
            transfer out of the model.
        accumulation_cycles: One level of the adder tree over the row tiles of a layer.
        output_path: Whether output path and vector unit belong to a layer, so that its copies
            share them (``"shared"``), or to every copy (``"per-copy"``).
        vector_lanes: Element-wise operations per cycle; 0 leaves the vector unit's time out.
        noc_bits_per_cycle: Bits of a layer's inputs that arrive over the network on chip per
            cycle; 0 leaves the transfer out.
        noc_hop_cycles: Cycles of one hop of the first flit.
        overlap: ``"none"``: a copy finishes a position before it starts the next. ``"positions"``:
            input transfer, multiplication and, where every copy has its own, output path and vector
            unit of successive positions overlap, so that the slowest of them sets the pace.
        write_cycles: Writing one crossbar; those of a round are written at the same time.
        digital_macs_per_cycle: Multiply-accumulates of the whole chip's digital unit, on which
            layers take turns; 0 where there is none.
        partial_sum_bits: Width of a partial sum on the bus.
        float_input_bits: Bits of a floating-point input in buffers and on wires, which row groups
            align to one exponent before it streams in: 16 for half precision; 0 where inputs are
            integers alone.
        active_columns: Columns that one read converts: with ``active_rows`` an operation unit, of
            which a crossbar reads one after the other (`OperationUnitMapping`); 0 for all columns.
        sram_bits_per_tile: Bits of SRAM, with the multipliers that read them, in the area of a
            tile, where words may correct the weights of crossbars; 0 for a chip without.
        slice_bits: Bits of the slices of a weight where they are not equal, such as 4, 2, 2, in
            cells of at most ``cell_bits``; empty for slices of ``cell_bits``.
        slices_per_conversion: Neighbouring slices that are weighed and added before one ADC.
        stored_bits: Bits of a weight that cells hold: ``"all"``, or those of its magnitude
            (``"magnitude"``), since the pair of a difference has the sign.
        sum_columns: Columns beyond its slices that every weight takes, as where the digital adders
            of a column's sum sit in the array beside the weights.
        extra_input_steps: Input steps beyond those that the bits take, as for a speculation whose
            failures are computed again.
        weight_bits_per_cycle: Bits of weights that the memory behind a time-multiplexed chip gives
            per cycle, for which a write waits; 0 leaves it out of the model.
        memory_bits_per_cycle: Bits per cycle between a layer's tiles and the memory, off the chip
            or a buffer on it, that holds its inputs and outputs, and on a time-multiplexed chip its
            weights: a layer takes no less time than these do, in whatever order, however many
            copies it has; 0 leaves it out.
        energy: Energy of every event; None where it is not known.
        components: What area, peak power and leakage add up from; empty where not known.
        noise: Statistics of the cells; None for cells that hold what was written. It costs nothing;
            knobs of noise ask for it when they run real networks.
        provenance: Where each number comes from, by key, ``energy.key``, ``components.name`` or
            ``noise.key``; empty for a chip of your own.

    Raises:
        PresetError: If a number is out of range, or numbers contradict each other.
    """

    name: str
    crossbar_rows: int
    crossbar_columns: int
    cell_bits: int
    dac_bits: int
    active_rows: int
    columns_per_adc: int
    clock_mhz: float
    output_elements_per_cycle: int
    technology_nm: int = 0
    slice_placement: Literal["separate", "packed"] = "separate"
    weight_encoding: Literal["offset", "differential-columns", "differential-rows"] = "offset"
    reference_columns: int = 0
    adc_resolution_bits: int = 0
    adc: Literal["fixed", "per-layer", "early-stop", "none"] = "fixed"
    shared_work: Literal["positions", "row-groups"] = "positions"
    weight_loading: Literal["stationary", "time-multiplexed"] = "stationary"
    dynamic_matmul: Literal["digital", "rewrite"] = "digital"
    tiles: int = 0
    tiles_per_core: int = 1
    idle_power: Literal["gated", "leaking"] = "gated"
    read_cycles: int = 0
    conversion_cycles: int = 1
    conversions_per_cycle: float = 1
    input_bits_per_cycle: int = 0
    accumulation_cycles: int = 0
    output_path: Literal["shared", "per-copy"] = "shared"
    vector_lanes: int = 0
    noc_bits_per_cycle: int = 0
    noc_hop_cycles: int = 0
    overlap: Literal["none", "positions"] = "none"
    write_cycles: int = 0
    digital_macs_per_cycle: int = 0
    partial_sum_bits: int = 16
    float_input_bits: int = 0
    active_columns: int = 0
    sram_bits_per_tile: int = 0
    slice_bits: tuple[int, ...] = ()
    slices_per_conversion: int = 1
    stored_bits: Literal["all", "magnitude"] = "all"
    sum_columns: int = 0
    extra_input_steps: int = 0
    weight_bits_per_cycle: int = 0
    memory_bits_per_cycle: int = 0
    off_chip_bits_per_cycle: int = 0
    buffer_bits: int = 0
    energy: EventEnergies | None = None
    components: tuple[Component, ...] = ()
    noise: DeviceNoise | None = None
    provenance: Mapping[str, Provenance] = field(default_factory=dict, compare=False, hash=False)

    def __post_init__(self) -> None:
        for key in PARAMETERS:
            check_parameter(self.name, key, getattr(self, key))
        for key in _FRACTIONS:  # a whole number is an integer, however it was given
            number = getattr(self, key)
            object.__setattr__(self, key, int(number) if number == int(number) else number)
        object.__setattr__(self, "slice_bits", tuple(self.slice_bits))
        for key, limit in (
            ("active_rows", "crossbar_rows"),
            ("columns_per_adc", "crossbar_columns"),
            ("active_columns", "crossbar_columns"),
            ("slices_per_conversion", "columns_per_adc"),
        ):
            if getattr(self, key) > getattr(self, limit):
                raise PresetError(
                    f"Expected {key} of accelerator {self.name!r} to be at most its "
                    f"{limit} ({getattr(self, limit)}), got {getattr(self, key)}."
                )
        self._check_tiles()
        self._check_slices()
        self._check_memory()
        if self.conversion_cycles > 1 and self.conversions_per_cycle > 1:
            raise PresetError(
                f"Expected accelerator {self.name!r} to give conversion_cycles or "
                f"conversions_per_cycle and leave the other at 1, got {self.conversion_cycles} "
                f"and {self.conversions_per_cycle}."
            )
        names = [component.name for component in self.components]
        if len(set(names)) < len(names):
            raise PresetError(
                f"Expected unique component names in accelerator {self.name!r}, got {names}."
            )
        if (self.energy or self.components) and not self.technology_nm:
            raise PresetError(
                f"Expected accelerator {self.name!r} with energies or components to give the "
                "technology_nm they hold for, got 0."
            )

    def _check_tiles(self) -> None:
        """Refuse what needs a number of tiles, or tiles that belong to one layer."""
        for key, value in (("weight_loading", "time-multiplexed"), ("idle_power", "leaking")):
            if getattr(self, key) == value and not self.tiles:
                raise PresetError(
                    f"Expected accelerator {self.name!r} with {key} {value!r} to give its tiles, "
                    "got 0."
                )
        if self.weight_bits_per_cycle and not self.is_time_multiplexed:
            raise PresetError(
                f"Expected accelerator {self.name!r} with weight_bits_per_cycle to have "
                f"weight_loading 'time-multiplexed', got {self.weight_loading!r}, whose weights "
                "stay."
            )
        for key, value in (("weight_loading", "stationary"), ("idle_power", "gated")):
            if self.adc == "per-layer" and getattr(self, key) != value:
                raise PresetError(
                    f"Expected accelerator {self.name!r} with adc 'per-layer' to have {key} "
                    f"{value!r}, so that every powered tile belongs to one layer, got "
                    f"{getattr(self, key)!r}. Take adc 'early-stop'."
                )

    def _check_slices(self) -> None:
        """Refuse slices and conversions that contradict the cells."""
        if max(self.slice_bits, default=0) > self.cell_bits:
            raise PresetError(
                f"Expected slice_bits of accelerator {self.name!r} of at most its cell_bits "
                f"({self.cell_bits}), got {max(self.slice_bits)}."
            )
        for key, value, other, needed in (
            ("slices_per_conversion", self.slices_per_conversion > 1, "slice_placement", "packed"),
            ("slices_per_conversion", self.slices_per_conversion > 1, "active_columns", 0),
            ("adc 'none'", self.adc == "none", "adc_resolution_bits", 0),
            ("slice_bits", bool(self.slice_bits), "active_columns", 0),
            ("sum_columns", bool(self.sum_columns), "slice_placement", "packed"),
            ("sum_columns", bool(self.sum_columns), "active_columns", 0),
        ):
            if value and getattr(self, other) != needed:
                raise PresetError(
                    f"Expected accelerator {self.name!r} with {key} to have {other} {needed!r}, "
                    f"got {getattr(self, other)!r}."
                )
        if self.stored_bits == "magnitude" and self.weight_encoding == "offset":
            raise PresetError(
                f"Expected accelerator {self.name!r} with stored_bits 'magnitude' to have a "
                "weight_encoding of pairs, which give the sign, got 'offset'."
            )

    def _check_memory(self) -> None:
        """Refuse a buffer that nothing is beside, and a rate of none."""
        if self.buffer_bits and not self.off_chip_bits_per_cycle:
            raise PresetError(
                f"Expected accelerator {self.name!r} with buffer_bits to give the "
                "off_chip_bits_per_cycle at which moves what does not fit, got 0."
            )
        if not self.off_chip_bits_per_cycle:
            return
        if self.memory_bits_per_cycle and not self.buffer_bits:
            raise PresetError(
                f"Expected accelerator {self.name!r} with memory_bits_per_cycle beside "
                "off_chip_bits_per_cycle to give the buffer_bits of what it reaches, got 0. Leave "
                "memory_bits_per_cycle out if there is no buffer."
            )
        if self.active_columns and self.is_time_multiplexed:
            raise PresetError(
                f"Expected accelerator {self.name!r} with off_chip_bits_per_cycle and "
                "weight_loading 'time-multiplexed' to have active_columns 0, got "
                f"{self.active_columns}: which sums of operation units wait is not modelled."
            )

    def __repr__(self) -> str:
        tiles = f"{self.tiles:,} tiles" if self.tiles else "tiles"
        crossbar = f"{self.crossbar_rows} x {self.crossbar_columns}"
        return short_repr(
            self,
            short_name(self.name),
            f"{tiles} of {crossbar} {self.cell_bits}-bit cells",
            f"{self.clock_mhz:g} MHz",
        )

    @property
    def is_time_multiplexed(self) -> bool:
        """Whether layers take turns on the tiles."""
        return self.weight_loading == "time-multiplexed"

    @property
    def lossless_adc_bits(self) -> int:
        """ADC resolution in bits with which every sum of a column has its own code."""
        return adc_bits(self.active_rows, self.dac_bits, self.converted_bits)

    @property
    def converted_bits(self) -> int:
        """Bits of the cells that are added before one ADC, of one row."""
        return self.cell_bits * self.slices_per_conversion

    @property
    def adc_bits(self) -> int:
        """ADC resolution in bits."""
        return self.adc_resolution_bits or self.lossless_adc_bits

    @property
    def adc_is_lossy(self) -> bool:
        """Whether some sums of a column share a code."""
        return self.adc_bits < self.lossless_adc_bits

    @property
    def clock_hz(self) -> int:
        """Clock in Hz."""
        return round(self.clock_mhz * 1_000_000)

    @property
    def adcs(self) -> int:
        """ADCs of a tile."""
        return -(-self.crossbar_columns // self.columns_per_adc)

    @property
    def conversions_per_read(self) -> int:
        """Columns of one read that an ADC converts one after the other."""
        if not self.active_columns:
            return -(-self.columns_per_adc // self.slices_per_conversion)
        return -(-self.active_columns // self.adcs)

    @property
    def reads_per_crossbar(self) -> int:
        """Reads that cover a crossbar in one input step: its row groups, or its operation units.

        240 for units of 9 x 8 in 128 x 128 cells, those of BWQ (IEEE TCAD 2024), the last cut off.
        """
        units = -(-self.crossbar_columns // self.active_columns) if self.active_columns else 1
        return -(-self.crossbar_rows // self.active_rows) * units

    @property
    def read_and_convert_cycles(self) -> int:
        """Cycles of one read in one input step, and of its conversions in turn."""
        return self.read_and_convert_cycles_at(self.adc_bits)

    def read_and_convert_cycles_at(self, bits: int) -> int:
        """Count the same where conversions take another time.

        A successive-approximation ADC tries one bit after the other, so that a conversion takes a
        time proportional to its bits. The conversions of a row group follow each other without a
        pause, and together end with a cycle.

        Args:
            bits: Of every conversion.

        Returns:
            ``read_cycles + ceil(conversions_per_read * conversion_cycles * bits /
            (conversions_per_cycle * adc_bits))``.
        """
        trials = self.conversions_per_read * self.conversion_cycles * bits
        rate = Fraction(str(self.conversions_per_cycle)) * self.adc_bits
        return self.read_cycles + ceil(trials / rate)

    @property
    def rows_per_weight(self) -> int:
        """Rows that a weight takes in its columns."""
        return 2 if self.weight_encoding == "differential-rows" else 1

    @property
    def noc_hops(self) -> int:
        """Hops between two layers: the mean distance of two cores in a square mesh of all cores.

        ``2 (n**2 - 1) / (3 n)`` for n x n routers, rounded up; at least 1.
        """
        cores = -(-self.tiles // self.tiles_per_core)
        side = isqrt(max(cores, 1) - 1) + 1
        return max(1, -(-2 * (side * side - 1) // (3 * side)))

    @property
    def parameters(self) -> dict[str, Any]:
        """Geometry, mapping and timing, by name."""
        return {key: getattr(self, key) for key in PARAMETERS}

    @property
    def definition(self) -> dict[str, Any]:
        """Everything that defines the chip, ready for JSON; where it comes from is not part.

        Equal chips have equal texts: a whole number is an integer, however it was given, and what
        has its default is left out.
        """
        given = given_fields(self)
        return {
            "parameters": {key: _plain(given[key]) for key in PARAMETERS if key in given},
            "energy": None if self.energy is None else _whole_numbers(self.energy),
            "components": [_whole_numbers(component) for component in self.components],
        } | ({} if self.noise is None else {"noise": self.noise.definition})

    def to_json(self) -> dict[str, Any]:
        """Return the chip as plain JSON values.

        Returns:
            A mapping with the name, all parameters, energies, components and noise, and the
            provenance by key.
        """
        return {
            "name": self.name,
            "parameters": {key: _plain(value) for key, value in self.parameters.items()},
            "energy": self.energy and asdict(self.energy),
            "components": [asdict(component) for component in self.components],
            "noise": self.noise and asdict(self.noise),
            "provenance": {key: source.to_json() for key, source in self.provenance.items()},
        }

    def per_tile(self, component: Component) -> float:
        """Count a component of one tile.

        Args:
            component: One that belongs to a tile or something in it, or to a core.

        Returns:
            How many; a tile's share of its core's.
        """
        cells = {
            "cell": self.crossbar_rows * self.crossbar_columns,
            "row": self.crossbar_rows,
            "column": self.crossbar_columns,
            "adc": self.adcs,
            "tile": 1,
            "core": 1 / self.tiles_per_core,
            "chip": 0,
        }
        return component.count * cells[component.per]

    def number_of(self, component: Component, tiles: int) -> float:
        """Count a component of a chip.

        Args:
            component: Any.
            tiles: Tiles on the chip; cores are whole.

        Returns:
            How many the chip has.
        """
        whole: dict[Level, int] = {"core": -(-tiles // self.tiles_per_core), "chip": 1}
        if component.per in whole:
            return component.count * whole[component.per]
        return tiles * self.per_tile(component)

    def area_um2(self, tiles: int, adc_ratio: float = 1.0) -> dict[Part, int]:
        """Add up the area of a chip.

        Args:
            tiles: Tiles on the chip.
            adc_ratio: Area of an ADC, on average over the tiles, of that which the components give.

        Returns:
            Square micrometres by part, whole numbers, so that the total is their sum.

        Raises:
            PresetError: If the accelerator lists no components.
        """
        self._require_components()
        area: dict[Part, float] = {}
        for component in self.components:
            total = self.number_of(component, tiles) * component.area_um2
            if component.part == "adc":
                total *= adc_ratio
            area[component.part] = area.get(component.part, 0.0) + total
        return {part: round(value) for part, value in area.items()}

    def peak_power_uw(self, tiles: int) -> dict[Part, int]:
        """Add up the power of a chip with every component busy all the time.

        Args:
            tiles: Tiles on the chip.

        Returns:
            Microwatts by part, whole numbers.

        Raises:
            PresetError: If a component's power is not known.
        """
        self._require_components()
        power: dict[Part, float] = {}
        for component in self.components:
            if component.peak_power_uw is None:
                raise PresetError(
                    f"Expected accelerator {self.name!r} to give the peak_power_uw of every "
                    f"component, got none for {component.name!r}."
                )
            total = self.number_of(component, tiles) * component.peak_power_uw
            power[component.part] = power.get(component.part, 0.0) + total
        return {part: round(value) for part, value in power.items()}

    @property
    def tile_leakage_uw(self) -> float:
        """Leakage of one powered tile with its share of the core."""
        return sum(self.per_tile(c) * c.leakage_uw for c in self.components)

    def tile_leakage_of(self, part: Part) -> float:
        """Add up what a part of one powered tile leaks.

        Args:
            part: Such as ``"adc"``.

        Returns:
            Microwatts, of ``tile_leakage_uw``.
        """
        return sum(self.per_tile(c) * c.leakage_uw for c in self.components if c.part == part)

    @property
    def chip_leakage_uw(self) -> float:
        """Leakage of what the whole chip shares; it is never gated."""
        return sum(c.count * c.leakage_uw for c in self.components if c.per == "chip")

    def with_active_rows(self, active_rows: int) -> Self:
        """Change the row parallelism together with the ADC that it needs.

        The ADC becomes lossless; its energy and area follow ``lrmp.hardware.chip.adc``.

        Args:
            active_rows: Rows driven at the same time.

        Returns:
            The changed accelerator, without provenance.

        Raises:
            PresetError: If the rows do not fit, or an ADC is outside 4..10 bits.
        """
        changed = replace(self, active_rows=active_rows, adc_resolution_bits=0, provenance={})
        if changed.adc_bits == self.adc_bits or self.adc == "none":
            return changed
        energy_factor, area_factor = sar_ratio(self.adc_bits, changed.adc_bits)
        energy = self.energy and replace(
            self.energy, adc_conversion_fj=self.energy.adc_conversion_fj * energy_factor
        )
        components = tuple(
            _scaled(c, area_factor, energy_factor) if c.part == "adc" else c
            for c in self.components
        )
        return replace(changed, energy=energy, components=components)

    def scaled_to(self, technology_nm: int) -> Self:
        """Move energies, powers and areas to another node; times stay as they are.

        Args:
            technology_nm: The node wanted.

        Returns:
            The scaled accelerator, without provenance.

        Raises:
            PresetError: If the accelerator has no node, or one is outside 14..130 nm.
        """
        area_factor = area_ratio(self.technology_nm, technology_nm)
        energy_factor = energy_ratio(self.technology_nm, technology_nm)
        energy = self.energy and EventEnergies(
            **{key: value * energy_factor for key, value in asdict(self.energy).items()}
        )
        components = tuple(_scaled(c, area_factor, energy_factor) for c in self.components)
        return replace(
            self,
            technology_nm=technology_nm,
            energy=energy,
            components=components,
            provenance={},
        )

    def _require_components(self) -> None:
        if not self.components:
            raise PresetError(
                f"Expected accelerator {self.name!r} to list its components, got none: its "
                "area and power are not known."
            )


PARAMETERS = tuple(
    f.name
    for f in fields(Accelerator)
    if f.name not in ("name", "energy", "components", "noise", "provenance")
)
_TYPES = get_type_hints(Accelerator)
_ZERO = tuple(f.name for f in fields(Accelerator) if f.default == 0)
#: Parameters that most chips have no use for; where they are not given there is nothing to say.
RARE = (
    "slice_bits",
    "slices_per_conversion",
    "stored_bits",
    "sum_columns",
    "extra_input_steps",
    "weight_bits_per_cycle",
    "memory_bits_per_cycle",
    "off_chip_bits_per_cycle",
    "buffer_bits",
)
#: Parameters that are out of the model by default; a preset need not give them.
LEFT_OUT = tuple(key for key in _ZERO if key not in RARE)
_MAY_BE_ZERO = {*_ZERO, "output_elements_per_cycle"}
_MOST = {"cell_bits": 4, "dac_bits": 8}
_FRACTIONS = ("clock_mhz", "conversions_per_cycle")


def check_parameter(accelerator: str, key: str, value: object) -> None:
    """Refuse a parameter of the wrong type or out of range.

    Args:
        accelerator: Its name.
        key: One of ``PARAMETERS``.
        value: What it is to be.

    Raises:
        PresetError: If it cannot be that.
    """
    if key in _FRACTIONS:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value < 2**31:  # type: ignore[operator]  # a number
            raise PresetError(
                f"Expected {key} of accelerator {accelerator!r} to be a number > 0 and < 2**31, "
                f"got {value!r}."
            )
        return
    if key == "slice_bits":
        bits = value if isinstance(value, tuple | list) else (value,)
        if any(type(b) is not int or b < 1 for b in bits):
            raise PresetError(
                f"Expected slice_bits of accelerator {accelerator!r} as a list of whole numbers "
                f">= 1, such as [4, 2, 2], got {value!r}."
            )
        return
    if get_origin(_TYPES[key]) is Literal:
        if value not in get_args(_TYPES[key]):
            raise PresetError(
                f"Expected {key} of accelerator {accelerator!r} to be one of "
                f"{', '.join(get_args(_TYPES[key]))}; got {value!r}."
            )
        return
    least, most = 0 if key in _MAY_BE_ZERO else 1, _MOST.get(key, 2**31 - 1)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        limits = f"from {least} to {most}" if key in _MOST else f">= {least} and < 2**31"
        raise PresetError(
            f"Expected {key} of accelerator {accelerator!r} to be an integer {limits}, "
            f"got {value!r}."
        )


def _plain(value: Any) -> Any:
    """Return a parameter as JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def _whole_numbers(table: EventEnergies | Component) -> dict[str, Any]:
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in given_fields(table).items()
    }


def _scaled(component: Component, area_factor: float, power_factor: float) -> Component:
    power = component.peak_power_uw
    return replace(
        component,
        area_um2=component.area_um2 * area_factor,
        peak_power_uw=None if power is None else power * power_factor,
        leakage_uw=component.leakage_uw * power_factor,
    )
