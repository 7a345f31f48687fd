//! Chance, as a parameter: call ids, key ids and secrets.

use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// Where random bytes come from. Tests use `testkit::SeededIds`.
pub trait Ids: Send + Sync + 'static {
    /// Fills `out` with bytes that nobody can guess.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's generator, by way of aws-lc.
pub struct SystemIds(SystemRandom);

impl SystemIds {
    pub fn shared() -> Arc<dyn Ids> {
        Arc::new(Self(SystemRandom::new()))
    }
}

impl Ids for SystemIds {
    fn fill(&self, out: &mut [u8]) {
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
    fn text_has_the_length_and_the_alphabet() {
        let t = text(&*SystemIds::shared(), b"ABC", 200);
        assert_eq!(t.len(), 200);
        assert!(t.bytes().all(|b| b"ABC".contains(&b)));
        assert!(b"ABC".iter().all(|b| t.bytes().any(|t| t == *b)));
    }
}
