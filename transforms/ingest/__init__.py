"""Take events in: lines to checked events, and rejections for the rest."""
