"""What every report is made of: tables, units, words, strokes, and text made harmless."""
