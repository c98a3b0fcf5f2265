"""From an alert to a better model: incidents, datasets, candidates, the gate, the registry and the announcement."""
