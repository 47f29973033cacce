"""The proof of isolation: every crossing between two organizations is attempted, for real."""
