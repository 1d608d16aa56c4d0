"""Energies, areas and leakage of a chip's components, by the models of a component library."""
