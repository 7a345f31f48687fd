//! Where the canonicaliser finds header values.

use bedplate_core::call::Headers;

/// The headers of a request, by name.
pub trait HeaderSource {
    /// Calls `f` with each value of `name` (lower case), in order. A source that speaks for an HTTP/2
    /// request answers `:authority` with the host: the JavaScript SDK signs it under that name.
    fn each(&self, name: &str, f: &mut dyn FnMut(&[u8]));

    /// The first value of `name` when it is ASCII text, copied.
    fn first(&self, name: &str) -> Option<String> {
        let mut found = None;
        self.each(name, &mut |value| {
            if found.is_none() {
                found = std::str::from_utf8(value).ok().map(|v| v.trim().to_owned());
            }
        });
        found
    }
}

impl HeaderSource for Headers {
    fn each(&self, name: &str, f: &mut dyn FnMut(&[u8])) {
        for (n, value) in self.iter() {
            if n == name.as_bytes() {
                f(value);
            }
        }
    }
}

impl HeaderSource for [(&str, &[u8])] {
    fn each(&self, name: &str, f: &mut dyn FnMut(&[u8])) {
        for (n, value) in self {
            if n.eq_ignore_ascii_case(name) {
                f(value);
            }
        }
    }
}

impl<const N: usize> HeaderSource for [(&str, &[u8]); N] {
    fn each(&self, name: &str, f: &mut dyn FnMut(&[u8])) {
        self.as_slice().each(name, f);
    }
}

impl HeaderSource for Vec<(&str, &[u8])> {
    fn each(&self, name: &str, f: &mut dyn FnMut(&[u8])) {
        self.as_slice().each(name, f);
    }
}
