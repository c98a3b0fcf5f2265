"""Avro events through a Confluent-compatible schema registry: where a pipeline's codec is chosen, and the client."""
