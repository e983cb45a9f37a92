"""Watch for what did not happen: deadlines, and the alerts that follow from them."""
