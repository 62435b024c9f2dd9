"""Does a map depend on what the network has learnt? Asked before it enters a report."""
