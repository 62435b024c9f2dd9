"""Change the picture and ask the network again: what its answer really hangs on."""
