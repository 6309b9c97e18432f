"""Find ink on paper: levels, lines and boxes that are no ink, and the shapes that are left."""
