"""The report on runs: everything it says, gathered as plain facts, and the page that shows them."""
