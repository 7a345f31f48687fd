//! Telemetry against its samples, a real collector and a folder that goes away.
