"""What a machine has and lacks for radzoo: one check a file, each bounded in time, none able to break the others."""
