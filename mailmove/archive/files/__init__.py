"""Message files: their names, their directories, and how they are written so that they last."""
