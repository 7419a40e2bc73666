"""Names of backbones that OpenCLIP does not have."""

TINY = "tiny"
IMAGE_ONLY = ("osnet_x1_0", "osnet_x0_75", "osnet_x0_5", "osnet_x0_25", "osnet_ibn_x1_0")
"""Backbones without a text tower, as torchreid calls them."""
