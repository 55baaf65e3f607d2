"""Spiking memories on Loihi: what the chip takes, and what it makes of them."""
