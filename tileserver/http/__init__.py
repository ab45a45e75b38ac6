"""Parts of the HTTP application that all protocols share; no protocol is known here."""
