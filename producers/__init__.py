"""Into Kafka: plain files, scenarios with known changes, and their replay at a pace or in lockstep."""
