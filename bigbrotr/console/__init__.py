"""What commands have in common: options, values, output, progress, views."""
