"""Published stagings, risk scores and blood-count ratios that the zoo's models are compared with."""
