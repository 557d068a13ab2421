"""The evidence: what the model does beside what was published or measured, and the predecessor's figures."""
