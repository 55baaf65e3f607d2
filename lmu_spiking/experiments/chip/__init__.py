"""The memory on Loihi beside its peers: same signals, same measures, same run."""
