"""A memory before it is built: what is asked for, its basis, and its design."""
