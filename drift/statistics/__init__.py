"""Statistics people know, from the same counts: shown beside the decision, never part of it. One a file."""
