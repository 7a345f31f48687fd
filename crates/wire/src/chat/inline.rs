//! Reasoning that stands in front of an answer as `<reasoning>…</reasoning>`: gpt-oss on `InvokeModel`.

use bedplate_core::conversation::Text;

const OPEN: &str = "<reasoning>";
const CLOSE: &str = "</reasoning>";

/// The reasoning and the rest of a whole text; `None` when it does not begin with reasoning.
pub(super) fn split(text: &Text<'_>) -> Option<(Text<'static>, Text<'static>)> {
    let inner = text.inner();
    if !(inner.starts_with('<') || inner.starts_with("\\u003")) {
        return None;
    }
    if let Some(rest) = inner.strip_prefix(OPEN)
        && let Some((reasoning, rest)) = rest.split_once(CLOSE)
    {
        return Some((Text::of_inner(&[reasoning]), Text::of_inner(&[rest])));
    }
    let said = text.decode();
    let rest = said.strip_prefix(OPEN)?;
    // an answer may be cut off amid reasoning
    let (reasoning, rest) = rest.split_once(CLOSE).unwrap_or((rest, ""));
    Some((Text::of(reasoning), Text::of(rest)))
}

/// The same of a text that comes in pieces, however it is cut. What may yet turn out to be a mark is held back: as it is
/// the beginning of the mark, its length says all.
#[derive(Default)]
pub(super) struct Splitter {
    at: At,
    /// How much of the mark has come.
    held: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum At {
    #[default]
    Start,
    Reasoning,
    Text,
}

/// What a piece is.
pub(super) enum Piece<'t> {
    Reasoning(Text<'t>),
    Text(Text<'t>),
}

impl Splitter {
    /// Something that is no text came: marks stand at the beginning only.
    pub(super) fn pass(&mut self, out: &mut dyn FnMut(Piece<'static>)) {
        self.finish(out);
        self.at = At::Text;
    }

    pub(super) fn feed<'t>(&mut self, text: Text<'t>, out: &mut dyn FnMut(Piece<'t>)) {
        if self.at == At::Text {
            return out(Piece::Text(text));
        }
        let said = text.decode();
        let mut rest = &*said;
        if self.at == At::Start {
            let wanted = &OPEN[self.held..];
            if rest.len() < wanted.len() && wanted.starts_with(rest) {
                self.held += rest.len();
                return;
            }
            let Some(after) = rest.strip_prefix(wanted) else {
                self.at = At::Text;
                let held = &OPEN[..std::mem::take(&mut self.held)];
                if held.is_empty() {
                    drop(said);
                    return out(Piece::Text(text));
                }
                return out(Piece::Text(Text::of(&format!("{held}{rest}"))));
            };
            (self.at, self.held) = (At::Reasoning, 0);
            rest = after;
        }
        let (reasoning, after) = self.reasoning(rest);
        if !reasoning.is_empty() {
            out(Piece::Reasoning(Text::of(&reasoning)));
        }
        if let Some(after) = after.filter(|after| !after.is_empty()) {
            out(Piece::Text(Text::of(after)));
        }
    }

    /// What of a piece is reasoning, and what comes after the mark that ends it.
    fn reasoning<'r>(&mut self, piece: &'r str) -> (String, Option<&'r str>) {
        let mut reasoning = String::with_capacity(piece.len() + self.held);
        for (at, c) in piece.char_indices() {
            // `<` stands only at the beginning of the mark: what does not go on with it may begin it anew
            if !CLOSE[self.held..].starts_with(c) {
                reasoning.push_str(&CLOSE[..std::mem::take(&mut self.held)]);
            }
            match CLOSE[self.held..].starts_with(c) {
                true => self.held += 1,
                false => reasoning.push(c),
            }
            if self.held == CLOSE.len() {
                (self.at, self.held) = (At::Text, 0);
                return (reasoning, Some(&piece[at + 1..]));
            }
        }
        (reasoning, None)
    }

    /// Nothing more comes: what was held back is no mark.
    pub(super) fn finish(&mut self, out: &mut dyn FnMut(Piece<'static>)) {
        let held = std::mem::take(&mut self.held);
        match self.at {
            At::Start if held > 0 => out(Piece::Text(Text::of(&OPEN[..held]))),
            At::Reasoning if held > 0 => out(Piece::Reasoning(Text::of(&CLOSE[..held]))),
            At::Start | At::Reasoning | At::Text => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(cut: &[&str]) -> (String, String) {
        let (mut reasoning, mut text) = (String::new(), String::new());
        let mut splitter = Splitter::default();
        let mut take = |piece: Piece<'_>| match piece {
            Piece::Reasoning(piece) => reasoning.push_str(&piece.decode()),
            Piece::Text(piece) => text.push_str(&piece.decode()),
        };
        for piece in cut {
            splitter.feed(Text::of(piece), &mut take);
        }
        splitter.finish(&mut take);
        (reasoning, text)
    }

    #[test]
    fn reasoning_is_found_over_any_cut() {
        for (whole, reasoning, text) in [
            (
                "<reasoning>a < b </ </reason </reasoning>The \"answer\"",
                "a < b </ </reason ",
                "The \"answer\"",
            ),
            ("<reasoning>é<<</reasoning>", "é<<", ""),
            ("<reasoning>cut off </reas", "cut off </reas", ""),
            ("<reason", "", "<reason"),
            ("<reasonable>", "", "<reasonable>"),
            ("plain <reasoning>x</reasoning>", "", "plain <reasoning>x</reasoning>"),
            ("", "", ""),
        ] {
            let want = (reasoning.to_owned(), text.to_owned());
            let split = split(&Text::of(whole));
            let split = split.map_or((String::new(), whole.to_owned()), |(r, t)| {
                (r.decode().into_owned(), t.decode().into_owned())
            });
            assert_eq!(split, if whole == "<reason" { (String::new(), whole.into()) } else { want.clone() });
            let cuts: Vec<_> = whole.char_indices().map(|(at, _)| at).chain([whole.len()]).collect();
            for a in &cuts {
                for b in cuts.iter().filter(|b| *b >= a) {
                    assert_eq!(
                        pieces(&[&whole[..*a], &whole[*a..*b], &whole[*b..]]),
                        want,
                        "{whole} {a} {b}"
                    );
                }
            }
            let each: Vec<_> = whole.chars().map(|c| c.to_string()).collect();
            assert_eq!(pieces(&each.iter().map(String::as_str).collect::<Vec<_>>()), want, "{whole}");
        }
    }
}
