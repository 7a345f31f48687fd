//! What happens in a run, told line by line when somebody wants to know.

use std::cell::RefCell;
use std::fmt;

use bedplate_core::budget::{Slice, Stand, Sums, Window};

thread_local! {
    static TO: RefCell<To> = const { RefCell::new(To::Nobody) };
}

enum To {
    Nobody,
    Screen,
    Text(String),
}

/// A line, if somebody listens.
pub(crate) fn tell(what: impl FnOnce() -> String) {
    TO.with_borrow_mut(|to| match to {
        To::Nobody => {}
        To::Screen => println!("{}", what()),
        To::Text(text) => {
            text.push_str(&what());
            text.push('\n');
        }
    });
}

/// Runs it before everybody's eyes.
pub(crate) fn shown<T>(run: impl FnOnce() -> T) -> T {
    TO.set(To::Screen);
    let ran = run();
    TO.set(To::Nobody);
    ran
}

/// Runs it, and gives what it told.
pub(crate) fn told<T>(run: impl FnOnce() -> T) -> (T, String) {
    TO.set(To::Text(String::new()));
    let ran = run();
    match TO.replace(To::Nobody) {
        To::Text(text) => (ran, text),
        To::Nobody | To::Screen => (ran, String::new()),
    }
}

/// In few characters.
pub(crate) struct Short<T>(pub T);

impl fmt::Display for Short<&Window> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Window { account, starts } = self.0;
        let of = if account.of.is_empty() { String::new() } else { format!("[{}]", account.of) };
        write!(f, "`{}{of} from {starts}`", account.budget)
    }
}

impl fmt::Display for Short<Sums> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sums { granted, returned, settled, reconciled } = self.0;
        write!(f, "granted {granted}, returned {returned}, settled {settled}, reconciled {reconciled}")
    }
}

impl fmt::Display for Short<Stand> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stand { settled, granted, unknown } = self.0;
        write!(f, "in all settled {settled}, granted {granted}, unknown {unknown}")
    }
}

impl fmt::Display for Short<&Slice> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Slice { window, node, sums, lease_until } = self.0;
        write!(f, "{} of {}: {}, lease until {lease_until}", node.0, Short(window), Short(*sums))
    }
}

/// Several, one after the other.
pub(crate) fn list<T>(of: impl IntoIterator<Item = T>, show: impl Fn(T) -> String) -> String {
    let shown: Vec<_> = of.into_iter().map(show).collect();
    if shown.is_empty() { "nothing".into() } else { shown.join("; ") }
}
