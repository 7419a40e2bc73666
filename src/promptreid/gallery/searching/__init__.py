"""What answers a search: vectors in memory, scores of identities, the null sample, the answer.

All of it is made from the records, and made anew when they change.
"""
