"""Feature tables from elsewhere: which columns are features, whose each row is, and the rows that the store takes."""
