"""Analytics: how much is used, by whom, and whether it grows."""
