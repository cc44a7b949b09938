"""Site generators that this package works in."""
