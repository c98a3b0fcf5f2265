"""Tests of the micro-batch transport, its worker process, and delivery."""
