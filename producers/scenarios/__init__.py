"""Streams made up from a seed, whose changes are known: the truth that a detector is measured against. Pure."""
