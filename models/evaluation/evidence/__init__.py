"""Documents and pictures from stored out-of-fold predictions, in seconds."""
