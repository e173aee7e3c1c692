"""Every word of every archived message: derived, made from the message files, read by find and by whatever serves."""
