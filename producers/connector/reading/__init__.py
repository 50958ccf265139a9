"""What limits the reading of one relay: copies that wait to be judged, forged ones, and the processor's lag."""
