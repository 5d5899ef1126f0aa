"""What is made of the merged table: the training set, the gallery and the distribution."""
