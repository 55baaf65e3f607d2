"""The same memory on Loihi: laid out, budgeted, run on a ladder of targets."""
