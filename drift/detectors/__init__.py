"""Label-based change detectors: they watch the losses of labelled rows, beside the budgeted decision and outside it."""
