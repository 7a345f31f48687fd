//! How the parts fare, for `/readyz`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bedplate_control::{Health, Part, Readiness};
use bedplate_store::Journal;
use bedplate_upstream::CredentialsState;

use super::budgets::InForce;
use super::contact::{Contact, Lost};
use super::reload::Reload;

pub(super) struct Parts {
    pub(super) contact: Arc<Contact>,
    pub(super) journal: Arc<Journal>,
    pub(super) reload: Arc<Reload>,
    pub(super) budgets: Arc<InForce>,
    pub(super) draining: AtomicBool,
}

impl Health for Parts {
    fn ready(&self) -> Readiness {
        let mut parts = vec![self.admission(), self.ledger(), self.budgets()];
        parts.extend(self.credentials());
        Readiness { parts }
    }
}

impl Parts {
    fn admission(&self) -> Part {
        if self.draining.load(Ordering::Relaxed) {
            return Part::failing(
                "admission",
                None,
                "bedplate is stopping: calls under way may end, new ones are refused",
            );
        }
        Part::ok("admission")
    }

    /// Failing as soon as the ledger refuses rows, before the queue is full, or answers no questions.
    fn ledger(&self) -> Part {
        let health = self.journal.health();
        let refuses =
            health.failing_since.map(|since| Lost { since, reason: health.reason.unwrap_or_default() });
        let lost = refuses.into_iter().chain(self.contact.lost()).min_by_key(|lost| lost.since);
        let part = match lost {
            None => Part::ok("ledger"),
            Some(Lost { since, reason }) => Part::failing("ledger", Some(since), reason),
        };
        part.with("pending", health.pending).with("taken", health.taken).with("places", health.places)
    }

    /// A budget that cannot be read limits nothing: calls go elsewhere until it can.
    fn budgets(&self) -> Part {
        match self.budgets.unread() {
            None => Part::ok("budgets"),
            Some(said) => Part::failing("budgets", None, said),
        }
    }

    /// While one provider has credentials, those of another may fail.
    fn credentials(&self) -> Vec<Part> {
        let states = self.reload.credentials();
        let any = states.iter().any(|(_, state)| state.usable());
        let part = |(name, state): (String, CredentialsState)| {
            let name = format!("credentials {name}");
            let part = match state {
                CredentialsState::Ready => Part::ok(name),
                // calls are signed, but not for ever: said in time, and no reason to send them elsewhere
                CredentialsState::Stale { until: None, said } => {
                    Part::failing(name, None, format!("they cannot be renewed, and are used on: {said}"))
                }
                CredentialsState::Stale { until: Some(until), said } => {
                    let said = format!("they cannot be renewed, and are used until {until}: {said}");
                    Part::failing(name, None, said)
                }
                CredentialsState::Pending => {
                    Part::failing(name, None, "the credential chain has not answered yet")
                }
                CredentialsState::Expired { at, said } => {
                    let said = format!("they expired and cannot be renewed: {said}");
                    Part::failing(name, Some(at), said)
                }
                CredentialsState::Failed(said) => Part::failing(name, None, said),
            };
            if any { part.spare() } else { part }
        };
        states.into_iter().map(part).collect()
    }
}
