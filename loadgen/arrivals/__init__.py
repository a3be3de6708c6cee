"""When requests are due: one file a load model."""
