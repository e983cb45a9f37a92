"""The Pub/Sub emulator for trials, and starting it."""
