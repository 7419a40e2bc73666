"""Names of backbones that OpenCLIP does not have."""

TINY = "tiny"
IMAGE_ONLY = (
    *("osnet_x1_0", "osnet_x0_75", "osnet_x0_5", "osnet_x0_25", "osnet_ibn_x1_0"),
    *("transreid_vit_base", "transreid_vit_small"),
    *("transreid_vit_base_ics", "transreid_vit_small_ics"),
    *("solider_swin_tiny", "solider_swin_small", "solider_swin_base"),
)
"""Backbones without a text tower: torchreid's by its names, TransReID's and SOLIDER's."""
