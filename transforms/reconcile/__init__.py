"""Reconcile the live side with the carriers' files, and conclude what is true of every parcel that either touched."""
