import copy
import pickle
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from lrmp.hardware import (
    PRECISION,
    CostModel,
    CostReport,
    Design,
    load_network,
    load_preset,
)
from lrmp.hardware.space.precision import precision


def make_design():
    bits = {"weight_bits": [2, 5, 8, 4, 3], "activation_bits": [8, 3, 4, 2, 6]}
    return Design.of(bits, [1, 7, 2, 2, 1])


def make_report():
    model = CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"))
    return model.evaluate(make_design())


values = pytest.mark.parametrize("make", [make_design, make_report])


def arrays(value):
    return {
        f.name: getattr(value, f.name)
        for f in fields(value)
        if isinstance(getattr(value, f.name), np.ndarray)
    }


@values
def test_equal_numbers_are_equal_values(make):
    assert make() == make()
    assert hash(make()) == hash(make())
    assert len({make(), make()}) == 1


@pytest.mark.parametrize("field", ["weight_bits", "activation_bits", "replication"])
@pytest.mark.parametrize("layer", range(5))
def test_one_other_number_makes_another_design(field, layer):
    numbers = make_design().to_json()
    numbers[field][layer] = 2 if numbers[field][layer] != 2 else 3
    assert Design.from_json(numbers) != make_design()


@pytest.mark.parametrize(
    "field", ["layer_tiles", "component_cycles", "component_energy_fj", "clock_hz"]
)
def test_one_other_number_makes_another_report(field):
    report = make_report()
    numbers = {f.name: getattr(report, f.name) for f in fields(report)}
    assert CostReport(**numbers) == report
    assert CostReport(**(numbers | {field: numbers[field] + 1})) != report


def test_bits_of_weights_and_activations_are_not_interchangeable():
    design = make_design()
    swapped = Design(design.space, design.settings[:, ::-1], design.replication)
    assert swapped != design


def test_places_in_another_space_are_another_design():
    design = make_design()
    assert Design(precision(9), design.settings, design.replication) != design
    assert Design(precision(8), design.settings, design.replication) == design


@values
def test_never_equal_to_another_type(make):
    assert make() != "text"
    assert make() != tuple(arrays(make()).values())
    assert make_design() != make_report()


@values
def test_fields_cannot_be_assigned(make):
    value = make()
    for field in fields(value):
        with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{field.name}'"):
            setattr(value, field.name, None)


@values
def test_arrays_cannot_be_written(make):
    for array in arrays(make()).values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 3


def test_derived_layer_cycles_cannot_be_written():
    report = make_report()
    with pytest.raises(ValueError, match="read-only"):
        report.layer_cycles[0] = 0


def test_designs_do_not_share_memory_with_their_arguments():
    settings, copies = np.array([[2, 5], [6, 4]]), np.array([2, 5])
    design = Design(PRECISION, settings, copies)
    settings[:], copies[:] = 1, 1
    assert design.settings.tolist() == [[2, 5], [6, 4]]
    assert design.replication.tolist() == [2, 5]


@values
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_round_trip(make, protocol):
    value = make()
    twin = pickle.loads(pickle.dumps(value, protocol))
    assert twin == value
    assert hash(twin) == hash(value)


@values
def test_arrays_stay_read_only_after_pickling(make):
    twin = pickle.loads(pickle.dumps(make()))
    assert [name for name, array in arrays(twin).items() if array.flags.writeable] == []


@values
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_are_equal_and_read_only(make, copied):
    twin = copied(make())
    assert twin == make()
    assert [name for name, array in arrays(twin).items() if array.flags.writeable] == []


def test_values_that_were_checked_make_the_same_design():
    design = make_design()
    parts = {"settings": design.settings.copy(), "replication": design.replication.copy()}
    trusted = Design.trusted(space=design.space, **parts)
    assert trusted == design
    assert hash(trusted) == hash(design)
    assert not any(array.flags.writeable for array in arrays(trusted).values())
    assert pickle.loads(pickle.dumps(trusted)) == design
