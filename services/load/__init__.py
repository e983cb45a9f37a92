"""The load generator: sends what carriers send, as they would, to a gateway on this machine."""
