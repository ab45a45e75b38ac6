"""What a geoservice publishes each period: from draft by visa to a page and a PDF."""
