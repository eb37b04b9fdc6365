"""What the site's edge says of itself: its access log, followed in the background."""
