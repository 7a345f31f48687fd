"""The rig of scripts/bench: processes, gateways, measurements, tables."""
