"""Loihi, through NengoLoihi: targets, what a run did there, and what it would cost."""
