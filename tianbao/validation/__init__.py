"""Validation: the model compared with published or measured values and with the predecessor's."""
