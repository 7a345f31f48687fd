//! Signing keys, derived once for each key, day and region.
//!
//! Kept per thread, so that looking one up takes no lock. A key that changes is a new allocation with
//! an entry of its own; what is left of the old one goes when the map is full.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use bedplate_core::key::Key;
use bedplate_wire::sigv4::{Scope, SigningKey};
use foldhash::fast::RandomState;

/// Entries a thread keeps: a day's keys of a large deployment, about 2 MiB.
const MOST: usize = 4_096;

struct Derived {
    // holds the allocation, so that its address stays this key's own
    _key: Arc<Key>,
    scope: Scope,
    signing: Rc<SigningKey>,
}

thread_local! {
    static DERIVED: RefCell<HashMap<usize, Derived, RandomState>> = RefCell::default();
}

/// The signing key of `key` in `scope`.
pub(crate) fn signing_key(key: &Arc<Key>, scope: &Scope) -> Rc<SigningKey> {
    let address = Arc::as_ptr(key).addr();
    DERIVED.with_borrow_mut(|map| {
        if let Some(derived) = map.get(&address)
            && derived.scope == *scope
        {
            return Rc::clone(&derived.signing);
        }
        if map.len() >= MOST {
            map.clear();
        }
        let secret = key.secret_access_key.expose();
        let signing = Rc::new(SigningKey::derive(secret, scope.date(), scope.region(), scope.service()));
        let derived = Derived { _key: Arc::clone(key), scope: scope.clone(), signing: Rc::clone(&signing) };
        map.insert(address, derived);
        signing
    })
}
