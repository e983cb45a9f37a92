"""The senders: one small file each, over the protocol of `sender`; what codes mean stands in `tables/`."""
