"""What a relay does: fetch, check, publish by layer, keep, let fade; and remember all of it."""
