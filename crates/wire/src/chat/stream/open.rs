//! Which block of a stream is open. This dialect does not say: another kind of piece is another block.

use bedplate_core::conversation::{Delta, Event, Opening, Text};

use crate::chat::inline::Piece;
use crate::json::object::Bad;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Text,
    Refusal,
    Reasoning,
    Redacted,
    Call {
        index: Option<u64>,
        id: Option<String>,
        /// Arguments have come.
        said: bool,
    },
}

#[derive(Default)]
pub(super) struct Blocks {
    open: Option<Kind>,
    /// The number of the next block.
    next: u32,
    calls: u32,
}

impl Blocks {
    /// How many tools the answer wants used.
    pub(super) fn calls(&self) -> u32 {
        self.calls
    }

    pub(super) fn piece<'a>(&mut self, piece: Piece<'a>, out: &mut dyn FnMut(Event<'a>)) {
        match piece {
            Piece::Reasoning(text) => self.grow(&Kind::Reasoning, Delta::Reasoning(text), out),
            Piece::Text(text) => self.grow(&Kind::Text, Delta::Text(text), out),
        }
    }

    /// Gives a piece of a block of this kind: of the open one, or of a new one.
    pub(super) fn grow<'a>(&mut self, kind: &Kind, delta: Delta<'a>, out: &mut dyn FnMut(Event<'a>)) {
        if self.open.as_ref() != Some(kind) {
            let opening = match kind {
                Kind::Refusal => Opening::Refusal,
                Kind::Reasoning => Opening::Reasoning,
                Kind::Redacted => Opening::Redacted(None),
                Kind::Text | Kind::Call { .. } => Opening::Text,
            };
            self.open(kind.clone(), opening, out);
        }
        out(Event::Delta { block: self.next - 1, delta });
    }

    pub(super) fn open<'a>(&mut self, kind: Kind, opening: Opening<'a>, out: &mut dyn FnMut(Event<'a>)) {
        self.close(out);
        out(Event::Open { block: self.next, opening });
        self.open = Some(kind);
        self.next += 1;
    }

    pub(super) fn close<'a>(&mut self, out: &mut dyn FnMut(Event<'a>)) {
        let block = self.next.saturating_sub(1);
        match self.open.take() {
            Some(Kind::Call { said: false, .. }) => {
                // a tool without arguments: no JSON at all is not JSON
                out(Event::Delta { block, delta: Delta::Input(Text::of("{}")) });
                out(Event::Close { block });
            }
            Some(_) => out(Event::Close { block }),
            None => {}
        }
    }

    /// A piece of a tool call. A new index or a new id is a new call: some give no index, some always 0, and some say
    /// the id with every piece.
    pub(super) fn call<'a>(
        &mut self,
        index: Option<u64>,
        id: Option<Text<'a>>,
        name: Option<Text<'a>>,
        arguments: Option<Text<'a>>,
        out: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Bad> {
        let id = id.filter(|id| !id.is_empty());
        let goes_on = match &self.open {
            Some(Kind::Call { index: open, id: known, .. }) => {
                index == *open
                    && id.as_ref().is_none_or(|id| known.as_deref().is_none_or(|known| id.is(known)))
            }
            _ => false,
        };
        if !goes_on {
            let name = name.filter(|name| !name.is_empty());
            let name =
                name.ok_or_else(|| Bad::value("tool_calls", "a call has no name, or calls are mixed"))?;
            let known = id.as_ref().map(|id| id.decode().into_owned());
            let id = id.unwrap_or_else(|| Text::of(&format!("call_{}", self.calls)));
            self.calls += 1;
            let opening = Opening::ToolUse { id, name, by_server: false };
            self.open(Kind::Call { index, id: known, said: false }, opening, out);
        }
        if let Some(piece) = arguments.filter(|piece| !piece.is_empty()) {
            if let Some(Kind::Call { said, .. }) = &mut self.open {
                *said = true;
            }
            out(Event::Delta { block: self.next - 1, delta: Delta::Input(piece) });
        }
        Ok(())
    }
}
