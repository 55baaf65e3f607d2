"""What the chip does to numbers: its limits, integers, weights and pulses."""
