"""The linear loop of a memory: delay network, mapping onto synapses, noise."""
