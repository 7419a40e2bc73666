"""What rendered pictures are drawn with: fields, noise, strokes, shaded solids, a camera."""
