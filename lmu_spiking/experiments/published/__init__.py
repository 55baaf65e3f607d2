"""Published figures and tables again: their value, ours, and the faults upstream."""
