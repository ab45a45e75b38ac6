"""An hour at saturation while archives come and go: what is answered, how late, and what memory it takes."""
