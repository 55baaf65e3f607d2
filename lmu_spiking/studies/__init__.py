"""Trials beside their predicted error, sweeps of them, and what they say."""
