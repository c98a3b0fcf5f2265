"""What every service shows of itself, in one form: log lines, metrics, health. Services share it; it knows none."""
