"""The real Kafka, PostgreSQL and MLflow on this machine, without a container engine, under a small supervisor."""
