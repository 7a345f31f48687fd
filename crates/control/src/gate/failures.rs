//! How often somebody may be wrong: a bucket of tries for each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::{Clock, Tick};
use parking_lot::Mutex;

/// How many wrong keys in a row are heard.
const TRIES: u32 = 20;
/// How long until one more is.
const EACH: Duration = Duration::from_secs(3);
/// How many addresses are told apart; the tries of others come out of one bucket.
const ADDRESSES: usize = 4_096;

pub(super) struct Failures {
    clock: Arc<dyn Clock>,
    /// When each address will have its tries back. Absent: it has them all.
    until: Mutex<HashMap<IpAddr, Tick>>,
}

impl Failures {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, until: Mutex::default() }
    }

    /// How long `from` must wait before it is heard again; `None` when it is heard now.
    pub(super) fn wait(&self, from: IpAddr) -> Option<Duration> {
        let until = self.until.lock();
        let full = *until.get(&network(from)).or_else(|| until.get(&EVERYBODY))?;
        let owed = full.since(self.clock.tick());
        let most = EACH * (TRIES - 1);
        (owed > most).then(|| owed - most)
    }

    /// Takes one try of `from`; whether that was the last.
    pub(super) fn note(&self, from: IpAddr) -> bool {
        let now = self.clock.tick();
        let mut until = self.until.lock();
        let mut from = network(from);
        if until.len() >= ADDRESSES && !until.contains_key(&from) {
            until.retain(|_, full| *full > now);
            if until.len() >= ADDRESSES {
                from = EVERYBODY;
            }
        }
        let full = until.entry(from).or_insert(now);
        *full = Tick((*full).max(now).0 + u64::try_from(EACH.as_nanos()).unwrap_or(0));
        full.since(now) > EACH * (TRIES - 1)
    }
}

/// The bucket of addresses for which there is no room.
const EVERYBODY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// An IPv4 address, or the IPv6 network of one customer: they have more addresses than we can count.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use bedplate_testkit::ManualClock;

    use super::*;

    const ME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn failures() -> (ManualClock, Failures) {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        (clock.clone(), Failures::new(Arc::new(clock)))
    }

    #[test]
    fn tries_run_out_and_come_back_one_by_one() {
        let (clock, failures) = failures();
        let last = (1..=TRIES).map(|_| failures.note(ME)).collect::<Vec<_>>();
        assert_eq!(last.iter().position(|l| *l), Some(TRIES as usize - 1));
        assert_eq!(failures.wait(ME), Some(EACH));
        assert_eq!(failures.wait("10.0.0.1".parse().unwrap()), None);
        clock.advance(EACH);
        assert_eq!(failures.wait(ME), None);
        failures.note(ME);
        assert!(failures.wait(ME).is_some());
        clock.advance(EACH * TRIES);
        assert!((1..TRIES).all(|_| !failures.note(ME)));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let (_, failures) = failures();
        for n in 0..TRIES {
            failures.note(format!("2001:db8::{n:x}").parse().unwrap());
        }
        assert!(failures.wait("2001:db8::ffff".parse().unwrap()).is_some());
        assert!(failures.wait("2001:db8:0:1::".parse().unwrap()).is_none());
    }

    #[test]
    fn addresses_are_bounded() {
        let (_, failures) = failures();
        for n in 0..10_000_u32 {
            failures.note(IpAddr::V4((0x0a00_0000 + n).into()));
        }
        assert!(failures.until.lock().len() <= ADDRESSES + 1);
        assert!(failures.wait("192.0.2.1".parse().unwrap()).is_some(), "strangers share one bucket by now");
    }
}
