"""The relay: sends what the outbox holds, by any number of processes at once, each row once."""
