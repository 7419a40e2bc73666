"""One run: its plan, data and model, training from start to scores, and what it writes down."""
