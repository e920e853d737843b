"""The product: `BUNDLED` lists its features from the ground up."""
