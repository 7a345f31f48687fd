use bedplate_core::ids::SystemIds;
use bedplate_seal::SealError;

use super::key;

#[test]
fn a_child_opens_only_what_it_sealed_and_is_the_same_each_time() {
    let ids = SystemIds::shared();
    let (parent, child) = (key(1), key(1).child("cache 7"));
    let sealed = child.seal(&*ids, b"here", b"plain");
    assert_eq!(&**key(1).child("cache 7").open(b"here", &sealed).unwrap(), b"plain");
    for other in [parent.child("cache 8"), key(2).child("cache 7"), parent] {
        assert!(matches!(other.open(b"here", &sealed), Err(SealError::OtherKey { .. })));
    }
}

#[test]
fn names_are_the_keys_own() {
    assert_eq!(key(1).name(b"a"), key(1).name(b"a"));
    assert_ne!(key(1).name(b"a"), key(1).name(b"b"));
    assert_ne!(key(1).name(b"a"), key(2).name(b"a"));
    assert_ne!(key(1).name(b"a"), key(1).child("x").name(b"a"));
}
