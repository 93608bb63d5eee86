"""What data sets of room pictures share."""
