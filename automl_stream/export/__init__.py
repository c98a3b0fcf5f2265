"""Predictions with their labels, out of PostgreSQL into files, day by day."""
