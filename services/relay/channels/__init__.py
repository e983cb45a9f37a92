"""The ways a message can go: a webhook, a topic, mail, a text message by a provider, a file for trials."""
