"""How fast simulators run the same memories: ours, its peers, and a loop in C."""
