"""The PBX's whole configuration, rendered from what the desk is to be."""
