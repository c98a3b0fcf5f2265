"""The models of a pipeline: which served when and why, and an operator's word to the trainer."""
