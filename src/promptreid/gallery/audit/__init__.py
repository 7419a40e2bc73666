"""The record of what a gallery was used for: a chain of hashes that shows every later change.

`audit_log.AuditLog` writes and reads it; the records keep it.
"""
