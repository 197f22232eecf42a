"""Speed against the bare tools, in one run: `python -m tests.benchmarks`."""
