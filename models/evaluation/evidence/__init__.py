"""Documents and pictures from stored out-of-fold predictions, in a minute."""
