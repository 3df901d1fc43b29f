"""Whether two groups of patients differ in what is measured of them: distances, and tests by relabelling."""
