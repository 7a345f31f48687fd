//! Whether the ledger answered when it was last asked: on a quiet gateway no record fails that would say it.

use bedplate_core::clock::Timestamp;
use bedplate_core::ports::StoreError;
use parking_lot::Mutex;

/// Written by what asks the ledger all the time, read by probes.
#[derive(Default)]
pub(super) struct Contact(Mutex<Option<Lost>>);

/// The ledger does not answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Lost {
    pub(super) since: Timestamp,
    /// What it last said.
    pub(super) reason: String,
}

impl Contact {
    /// Notes what became of a question; `true` when it is the first one without an answer.
    pub(super) fn note(&self, answer: &Result<(), StoreError>, now: Timestamp) -> bool {
        let mut lost = self.0.lock();
        let before = lost.as_ref().map(|lost| lost.since);
        *lost = match answer {
            Ok(()) => None,
            Err(e) => Some(Lost { since: before.unwrap_or(now), reason: e.to_string() }),
        };
        before.is_none() && lost.is_some()
    }

    pub(super) fn lost(&self) -> Option<Lost> {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_lost_from_the_first_question_without_an_answer_to_the_next_with_one() {
        let (contact, gone) = (Contact::default(), |said: &str| Err(StoreError::Unavailable(said.into())));
        assert!(!contact.note(&Ok(()), Timestamp(1)));
        assert_eq!(contact.lost(), None);
        assert!(contact.note(&gone("refused"), Timestamp(2)));
        assert!(!contact.note(&gone("timed out"), Timestamp(3)));
        let reason = "the ledger is unavailable: timed out".to_owned();
        assert_eq!(contact.lost(), Some(Lost { since: Timestamp(2), reason }));
        assert!(!contact.note(&Ok(()), Timestamp(4)));
        assert_eq!(contact.lost(), None);
        assert!(contact.note(&gone("refused"), Timestamp(5)));
    }
}
