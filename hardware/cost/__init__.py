"""What a design costs on a chip: tiles, cycles, energy."""
