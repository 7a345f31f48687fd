//! CPU that other processes have used.

/// User and system seconds of `pids` since they started. A process that is gone counts nothing.
pub fn seconds(pids: &[u32]) -> f64 {
    // Linux reports in hundredths, whatever the kernel's own tick is
    pids.iter().filter_map(|pid| ticks(*pid)).sum::<u64>() as f64 / 100.0
}

fn ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name, in brackets, may hold blanks
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}
