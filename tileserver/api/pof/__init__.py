"""Documents of indicators: listed, checked, kept, published, and in other languages; and short links."""
