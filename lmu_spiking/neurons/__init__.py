"""Neuron types, their tuning curves, and populations that represent a state."""
