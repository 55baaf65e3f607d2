"""Memories and cells laid out on the chip's neurocores."""
