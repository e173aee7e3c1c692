"""HTML of mail: as text, and as a page that fetches nothing."""
