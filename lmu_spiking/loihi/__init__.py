"""Delay networks on Loihi: its emulator, its board, and what others have run there."""
