"""What a shell offers for a word that is being typed; nothing here imports PyTorch."""
