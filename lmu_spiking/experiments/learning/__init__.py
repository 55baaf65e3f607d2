"""What training an LMU gives: its window, long sequences, digits, steps, and cost."""
