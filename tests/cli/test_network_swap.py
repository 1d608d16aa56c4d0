"""``lrmp hardware swap``: what writing a network in costs, and when it pays."""

import json

import pytest

from lrmp.cli.exit_codes import EXIT_BAD_INPUT
from lrmp.cli.main import main


def test_a_swap_by_hand(capsys):
    """LeNet at 8 bits on 104 tiles of LRMP's chip beside others: 248,318 cycles at 192 MHz.

    Its 104 tiles are written in two turns of at most 64: twice 10,752 cycles, 112 us.
    """
    words = ["lenet", "--budget", "104", "--share", "104", "--at-once", "64", "--json"]
    assert main(["hardware", "swap", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tiles_alone"] == found["tiles_beside"] == 104
    assert found["write"] == {
        "tiles": 104,
        "cells": 3_444_000,
        "cycles": 21_504,
        "time_s": pytest.approx(112e-6),
        "energy_j": pytest.approx(13.776e-6),
    }
    assert found["latency_s_beside"] == pytest.approx(248_318 / 192e6)
    assert found["break_even_inferences_time"] is None  # no faster in its own turn
    assert found["break_even_inferences_energy"] is None


def test_more_tiles_pay_a_write_back_in_time(capsys):
    assert main(["hardware", "swap", "mlp", "--budget", "224", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    saved = found["latency_s_beside"] - found["latency_s_alone"]
    assert found["tiles_beside"] == 112
    number = found["break_even_inferences_time"]
    if saved > 0:
        assert (number - 1) * saved < found["write"]["time_s"] <= number * saved
    else:
        assert number is None
    assert main(["hardware", "swap", "lenet", "--budget", "400"]) == 0
    text = capsys.readouterr().out
    assert "in its own turn" in text
    assert "pays in time    from 1 inference a turn on" in text


def test_what_cannot_be_is_one_line(capsys):
    assert main(["hardware", "swap", "lenet", "--preset", "cim_aq_date_2026"]) == EXIT_BAD_INPUT
    assert "weights are stationary, got the time-multiplexed" in capsys.readouterr().err
    assert main(["hardware", "swap", "lenet", "--share", "5"]) == EXIT_BAD_INPUT
    assert "budget of at least 104 tiles" in capsys.readouterr().err
