"""What a deployment on other machines needs of a pipeline: its topics made, or told to Strimzi."""
