"""Where a network looked: one method a file, arrays in and arrays out."""
