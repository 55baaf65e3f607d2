"""Running on a target, and reporting what it cost and where the error arose."""
