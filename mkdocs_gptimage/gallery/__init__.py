"""One page that shows every picture of a site."""
