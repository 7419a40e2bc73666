"""What follows the image tower: necks, classifiers, part branches, projections."""
