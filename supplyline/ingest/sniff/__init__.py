"""What a file is, found from its bytes: encoding, dialect, structure; each with its reasons."""
