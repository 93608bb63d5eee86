"""The Lesson page."""
