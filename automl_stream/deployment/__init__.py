"""What a deployment on other machines needs: a pipeline's topics made, or told to Strimzi; the rules told to the
Prometheus operator."""
