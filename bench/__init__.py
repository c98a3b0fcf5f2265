"""Benchmarks: `python -m bench.<name>` from the repository's root. Not part of the wheel.

lab.py the broker, the pipeline and the worker processes · workload.py the events and the model · result.py what a
bench stores and prints · report.py renders every stored result as docs/benchmarks.md.
"""
