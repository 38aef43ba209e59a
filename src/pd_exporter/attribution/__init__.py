"""Whose GPU memory it is: who holds which unit, and how much of it is whose. All here is pure."""
