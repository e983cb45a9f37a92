"""Follow a parcel: what is known of it, whatever the order in which it became known."""
