"""Peers that do the same work without our guarantees. Each is a process: `python -m bench.contenders.<name> <task>`."""
