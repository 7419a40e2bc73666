"""What a stage takes its batches from: augmented images, cached features, the hardest images."""
