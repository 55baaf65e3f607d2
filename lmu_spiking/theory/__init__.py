"""The error of a memory, predicted before it runs, and plans made of predictions."""
