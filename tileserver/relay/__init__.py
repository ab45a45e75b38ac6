"""Archives over slow and broken links: what an origin says, what a relay fetches and keeps."""
