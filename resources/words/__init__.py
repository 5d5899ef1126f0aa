"""What can be told of a caption from its words alone: language, quality, differences, synonyms."""
