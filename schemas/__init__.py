"""Contracts every service shares: pipeline definition, topic table, messages, codec. Pure: no I/O, no clock."""
