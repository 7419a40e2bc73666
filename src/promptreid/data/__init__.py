"""Data sets: readers, manifests, protocols, splits, images, augmentation and batches."""
