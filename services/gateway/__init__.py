"""The gateway: takes what carriers send, proves who sent it, and hands it to the broker as events."""
