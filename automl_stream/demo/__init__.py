"""The demo: the whole loop on one machine, watched and summed up."""
