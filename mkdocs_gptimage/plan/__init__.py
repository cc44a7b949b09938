"""The state and price of each picture of a site, and the orphans of its store."""
