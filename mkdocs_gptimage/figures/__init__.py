"""The HTML of figures: marker, attributes, caption, placeholder card."""
