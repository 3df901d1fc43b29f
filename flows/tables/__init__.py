"""Tables from files: CSV, TSV, Excel, Parquet, and what is wrong with them."""
