"""Work in many processes: pools, progress, Prefect."""
