"""The brokers, a small file each: what the gateway forwards its spool to."""
