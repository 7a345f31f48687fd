//! Notices to receivers on loopback.
