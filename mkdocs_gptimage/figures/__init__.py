"""The HTML of figures: markers, attributes, captions, placeholders."""
