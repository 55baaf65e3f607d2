"""Trials that are compared with the law, sweeps of them, and what they say."""
