"""One optimizer step: its passes, the scale of its loss, and what is taken back when it fails."""
