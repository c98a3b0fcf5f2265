"""What a pipeline would have done with a file's rows: the services' own pure code, replayed without Kafka."""
