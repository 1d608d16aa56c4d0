"""Energy of one event of every kind, in femtojoules."""

from dataclasses import dataclass, fields

from lrmp.hardware.chip.component import check_amount


@dataclass(frozen=True, slots=True)
class EventEnergies:
    """What the cost model multiplies its event counts by.

    Attributes:
        adc_conversion_fj: One column converted once.
        cell_read_fj: One mapped cell in one input step, on average over the stored values.
        row_drive_fj: One row driven for one input step.
        tile_read_fj: One tile in one input step, for designs published as a whole macro; then the
            entries that it covers, from conversions to registers, are 0.
        shift_add_fj: One addition of a conversion to its partial sum, or of two partial sums.
        input_register_fj: One tile's input register in one input step.
        output_register_fj: One column's partial sum in the output register, per position.
        buffer_fj_per_bit: One bit read from or written to the core's buffer.
        bus_fj_per_bit: One bit between buffer and tiles.
        noc_fj_per_bit_hop: One bit over one router and its link.
        vector_op_fj: One element-wise operation.
        requantise_fj: One output scaled to the next layer's activations.
        cell_write_fj: One cell programmed.
        digital_mac_fj: One multiply-accumulate of the digital unit.

    Raises:
        PresetError: If an energy is negative or not finite.
    """

    adc_conversion_fj: float
    cell_read_fj: float
    row_drive_fj: float
    tile_read_fj: float
    shift_add_fj: float
    input_register_fj: float
    output_register_fj: float
    buffer_fj_per_bit: float
    bus_fj_per_bit: float
    noc_fj_per_bit_hop: float
    vector_op_fj: float
    requantise_fj: float
    cell_write_fj: float
    digital_mac_fj: float

    def __post_init__(self) -> None:
        for key in EVENTS:
            check_amount(f"energy {key}", getattr(self, key))


EVENTS = tuple(field.name for field in fields(EventEnergies))
