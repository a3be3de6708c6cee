"""This machine's GPUs, by NVML."""
