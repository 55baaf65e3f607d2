"""Studies: trials with seeds, sweeps that resume, and their tables and reports."""
