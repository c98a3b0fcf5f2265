"""Peers, each a process in the environment that it needs.

What scores without our guarantees: `python -m bench.contenders.<name> <task>`. Drift monitors: asked by panel.py.
"""
