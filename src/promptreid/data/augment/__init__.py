"""The random changes of training images, drawn image by image and applied to whole batches."""
