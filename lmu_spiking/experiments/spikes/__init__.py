"""Error against spikes of different neurons, and what the error is made of."""
