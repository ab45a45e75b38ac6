"""Relays: archives that come over slow, expensive and broken links, in the order of what they are worth."""
