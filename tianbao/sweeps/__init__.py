"""Many runs of one experiment: planned before the first one starts, each in its own folder, with one table."""
