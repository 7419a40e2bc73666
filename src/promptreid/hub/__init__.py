"""Files on the Hugging Face Hub: their addresses, fetching and sending them."""
