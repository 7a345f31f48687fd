//! Chance, as a parameter: call ids, key ids and secrets.

use std::cell::RefCell;
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// Where random bytes come from. Tests use `testkit::SeededIds`.
pub trait Ids: Send + Sync + 'static {
    /// Fills `out` with bytes that nobody can guess.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's generator, by way of aws-lc. Few bytes at a time come from a pool of the thread, which is
/// filled at once: the generator costs half a microsecond however little it gives.
pub struct SystemIds(SystemRandom);

/// Bytes that nobody has seen; the first `used` of them are given away, and wiped.
struct Pool {
    bytes: [u8; POOL],
    used: usize,
}

const POOL: usize = 1_024;
const FEW: usize = 16;

thread_local! {
    static THREAD: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], used: POOL }) };
}

impl SystemIds {
    pub fn shared() -> Arc<dyn Ids> {
        Arc::new(Self(SystemRandom::new()))
    }
}

impl Ids for SystemIds {
    fn fill(&self, out: &mut [u8]) {
        if out.len() > FEW {
            return self.generate(out);
        }
        // a thread that is ending has no pool any more
        let pooled = THREAD.try_with(|pool| {
            let pool = &mut *pool.borrow_mut();
            if POOL - pool.used < out.len() {
                self.generate(&mut pool.bytes);
                pool.used = 0;
            }
            for (to, from) in out.iter_mut().zip(&mut pool.bytes[pool.used..]) {
                *to = std::mem::take(from);
            }
            pool.used += out.len();
        });
        if pooled.is_err() {
            self.generate(out);
        }
    }
}

impl SystemIds {
    fn generate(&self, out: &mut [u8]) {
        // aws-lc aborts the process itself when the kernel gives no entropy; an `Err` cannot be
        // reached, and going on with zeroes would hand out guessable keys.
        if self.0.fill(out).is_err() {
            std::process::abort();
        }
    }
}

/// `n` characters of `alphabet`, each equally likely.
pub fn text(ids: &dyn Ids, alphabet: &[u8], n: usize) -> String {
    // rejection sampling: a plain modulo would favour the first letters
    let fair = 256 - 256 % alphabet.len().clamp(1, 256);
    let mut out = String::with_capacity(n);
    let mut pool = [0u8; 64];
    while out.len() < n {
        ids.fill(&mut pool);
        for b in pool.iter().map(|b| usize::from(*b)).filter(|b| *b < fair) {
            if out.len() < n {
                out.push(char::from(alphabet[b % alphabet.len()]));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bytes_never_come_twice() {
        let ids = SystemIds::shared();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10_000 {
            let mut bytes = [0u8; 10];
            ids.fill(&mut bytes);
            assert!(bytes != [0; 10] && seen.insert(bytes));
        }
    }

    #[test]
    fn text_has_the_length_and_the_alphabet() {
        let t = text(&*SystemIds::shared(), b"ABC", 200);
        assert_eq!(t.len(), 200);
        assert!(t.bytes().all(|b| b"ABC".contains(&b)));
        assert!(b"ABC".iter().all(|b| t.bytes().any(|t| t == *b)));
    }
}
