"""A folder a protocol: routes check parameters and answer, documents are made beside them."""
