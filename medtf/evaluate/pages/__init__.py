"""The report and the comparison as HTML: words, tables, templates."""
