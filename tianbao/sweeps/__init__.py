"""Many runs of one experiment: planned before the first starts, each in a folder of its own, gathered in one table."""
