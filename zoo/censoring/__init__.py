"""Patients who lost their label: how long patients are followed, and what those with a label weigh for it."""
