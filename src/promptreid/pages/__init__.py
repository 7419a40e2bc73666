"""Pages of HTML: the report on runs, gathered as plain facts first, and what a search found."""
