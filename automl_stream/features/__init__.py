"""The catalogue of a pipeline's features: what each is, whose, since when it is seen, and how it drifts."""
