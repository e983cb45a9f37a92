"""A Kafka broker for trials: its set-up, and starting it."""
