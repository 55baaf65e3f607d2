"""Networks to put into a Nengo model: the memory and its readouts."""
