"""What is to be predicted: classes, ordered ones, labels or values, from a column, several, or an array."""
