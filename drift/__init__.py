"""Pure mathematics of drift: reference profile, cell counts, statistics, the decision under one false-alarm budget."""
