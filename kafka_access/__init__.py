"""How every Kafka client of ours finds the cluster and says who it is. Services share it; it knows none."""
