"""Models as trackers of video want them; none of their packages is imported here."""
