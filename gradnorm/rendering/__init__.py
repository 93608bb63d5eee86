"""Rendered rooms: box rooms with furniture, every pixel known exactly. numpy only."""
