//! Text that grows by bytes: whole characters come out, and nothing of a stop sequence.

/// Holds back what may still become something else.
pub struct Spoken<'a> {
    stops: &'a [String],
    /// The beginning of a character.
    bytes: Vec<u8>,
    /// What may be the beginning of a stop sequence.
    held: String,
    over: bool,
}

impl<'a> Spoken<'a> {
    pub fn new(stops: &'a [String]) -> Self {
        Self { stops, bytes: Vec::new(), held: String::new(), over: false }
    }

    /// The text that these bytes let out.
    pub fn grow(&mut self, bytes: &[u8]) -> String {
        self.bytes.extend(bytes);
        self.take_characters();
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.over = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let hold = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - hold);
        std::mem::replace(&mut self.held, rest)
    }

    /// What was held back, when no more will come.
    pub fn end(&mut self) -> String {
        if self.over {
            return String::new();
        }
        let rest = std::mem::take(&mut self.bytes);
        self.held.push_str(&String::from_utf8_lossy(&rest));
        std::mem::take(&mut self.held)
    }

    /// Whether a stop sequence was said.
    pub fn is_over(&self) -> bool {
        self.over
    }

    fn take_characters(&mut self) {
        loop {
            let (good, bad) = match std::str::from_utf8(&self.bytes) {
                Ok(text) => (text.len(), None),
                Err(e) => (e.valid_up_to(), e.error_len()),
            };
            self.held.push_str(&String::from_utf8_lossy(&self.bytes[..good]));
            self.bytes.drain(..good + bad.unwrap_or(0));
            if bad.is_none() {
                return;
            }
            self.held.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// How many bytes at the end of `text` begin `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    (1..stop.len()).rev().find(|n| stop.is_char_boundary(*n) && text.ends_with(&stop[..*n])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stops: &[&str], pieces: &[&[u8]]) -> (Vec<String>, bool) {
        let stops: Vec<String> = stops.iter().map(ToString::to_string).collect();
        let mut spoken = Spoken::new(&stops);
        let mut out: Vec<String> = pieces.iter().map(|piece| spoken.grow(piece)).collect();
        out.push(spoken.end());
        (out, spoken.is_over())
    }

    #[test]
    fn characters_come_out_whole() {
        let crab = "🦀".as_bytes();
        assert_eq!(said(&[], &[&crab[..1], &crab[1..3], &crab[3..], b"!"]).0, ["", "", "🦀", "!", ""]);
        assert_eq!(said(&[], &[b"a\xffb", &crab[..2]]).0, ["a\u{fffd}b", "", "\u{fffd}"]);
    }

    #[test]
    fn a_stop_sequence_is_never_said_however_it_is_cut() {
        assert_eq!(
            said(&["END"], &[b"xE", b"N", b"D y"]),
            (["x", "", "", ""].map(String::from).to_vec(), true)
        );
        assert_eq!(said(&["END"], &[b"xE", b"NO"]), (["x", "ENO", ""].map(String::from).to_vec(), false));
        assert_eq!(
            said(&["\n\n", "x"], &[b"a\n", b"bx"]),
            (["a", "\nb", ""].map(String::from).to_vec(), true)
        );
        assert_eq!(said(&["END"], &[b"EN"]), (["", "EN"].map(String::from).to_vec(), false));
    }
}
