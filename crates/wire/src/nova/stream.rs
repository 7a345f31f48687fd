//! Reading streams: Converse's events, each the one member of an object.

use bedplate_core::conversation::Event;
use bedplate_core::form::Form;

use crate::converse::reader;
use crate::json::each;
use crate::json::object::Bad;
use crate::translate::ReadEvents;

pub(super) struct Reader(reader::Reader);

impl Reader {
    pub(super) fn new() -> Self {
        Self(reader::Reader::new(Form::Nova))
    }
}

impl ReadEvents for Reader {
    fn read<'a>(&mut self, _: &str, payload: &'a str, out: &mut dyn FnMut(Event<'a>)) -> Result<(), Bad> {
        let mut read = Ok(());
        // what Bedrock adds beside the event (`amazon-bedrock-invocationMetrics`) is one that the reader skips
        each(payload, &mut |name, value| {
            if read.is_ok() {
                read = self.0.read(name, value.get(), out).map_err(|bad| bad.within(name));
            }
        })?;
        read
    }

    fn finish(&mut self, out: &mut dyn FnMut(Event<'static>)) -> bool {
        self.0.finish(out)
    }
}
