//! The keymaker, on a ledger in memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_control::keys::{KeyError, KeyRequest, Keymaker};
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::key::{KeyId, Standing};
use bedplate_core::ports::{Keys, StoreError};
use bedplate_core::secret::Secret;
use bedplate_seal::MasterKey;
use bedplate_testkit::{ManualClock, SeededIds};

use crate::memory::Memory;
use crate::rig::{NOON, keymaker};

const DAY: Duration = Duration::from_secs(86_400);

struct Bench {
    ledger: Arc<Memory>,
    clock: ManualClock,
    keys: Keymaker,
}

fn bench() -> Bench {
    let (ledger, clock) = (Arc::new(Memory::default()), ManualClock::at(NOON));
    let keys = keymaker(&ledger, &clock);
    Bench { ledger, clock, keys }
}

fn request() -> KeyRequest {
    KeyRequest {
        team: "support".into(),
        feature: "triage".into(),
        environment: "prod".into(),
        risk_profile: "internal".into(),
        features: vec!["drafts".into()],
        models: vec!["us.amazon.*".into()],
        expires_in: None,
    }
}

fn id(text: &str) -> KeyId {
    KeyId(text.into())
}

#[tokio::test]
async fn a_made_key_is_sealed_hashed_and_opens_again() {
    let b = bench();
    let made = b.keys.create(&request()).await.unwrap();
    let stored = b.ledger.key(&id(&made.key_id)).await.unwrap().unwrap();
    let held = format!("{stored:?}{}", String::from_utf8_lossy(&stored.sealed_secret));
    for secret in [&made.secret_access_key, &made.bearer_token] {
        assert!(!held.contains(secret.expose()), "the ledger holds a secret in the clear");
        assert!(!format!("{made:?}").contains(secret.expose()), "a secret can be formatted");
    }
    let (open, up_to) = b.keys.changed(0).await.unwrap();
    assert_eq!((open.len(), up_to), (1, 1));
    let key = &open[0];
    assert_eq!(key.secret_access_key, made.secret_access_key);
    assert_eq!((&*key.access_key_id, &*key.principal.team), (&*made.access_key_id, "support"));
    assert!(key.allows_model("us.amazon.nova-lite-v1:0") && !key.allows_model("anthropic.claude"));
    assert_eq!(b.keys.changed(up_to).await.unwrap().1, up_to, "nothing has changed since");
}

#[tokio::test]
async fn names_and_models_that_cannot_work_are_refused() {
    let b = bench();
    let long = "a".repeat(65);
    for bad in ["", "a b", "a\nb", "ä", "a\"b", &long] {
        for place in 0..5 {
            let mut r = request();
            *[&mut r.team, &mut r.feature, &mut r.environment, &mut r.risk_profile, &mut r.features[0]]
                [place] = bad.into();
            assert!(
                matches!(b.keys.create(&r).await, Err(KeyError::Name(n)) if n == bad),
                "{bad} at {place}"
            );
        }
    }
    for bad in ["", "a b", "us.*.nova", "**", "ä"] {
        let r = KeyRequest { models: vec!["*".into(), bad.into()], ..request() };
        assert!(matches!(b.keys.create(&r).await, Err(KeyError::Model(m)) if m == bad), "{bad}");
    }
    let r = KeyRequest { expires_in: Some(Duration::ZERO), ..request() };
    assert!(matches!(b.keys.create(&r).await, Err(KeyError::Expiry)));
    assert!(b.keys.list().await.unwrap().is_empty(), "nothing was stored");
}

#[tokio::test]
async fn a_known_key_is_taken_over_once() {
    let b = bench();
    let (secret, token) = (Secret::new("s/ecret+0123456789abcdef="), Secret::new("bearer-0123456789abcdef"));
    let import = |access: &str, secret: &Secret, token: &Secret| {
        let (access, secret, token) = (access.to_owned(), secret.clone(), token.clone());
        let keys = &b.keys;
        async move { keys.import(&request(), access, secret, Some(token)).await }
    };
    let taken = import("AKIAIOSFODNN7EXAMPLE", &secret, &token).await.unwrap();
    assert_eq!(taken.secret_access_key, secret);
    assert_eq!(b.keys.changed(0).await.unwrap().0[0].secret_access_key, secret);
    assert!(matches!(
        import("AKIAIOSFODNN7EXAMPLE", &secret, &Secret::new("another-0123456789abc")).await,
        Err(KeyError::Store(StoreError::Conflict(_)))
    ));
    for access in ["AKIA", "AKIA/OSFODNN7EXAMPLE", &"A".repeat(129)] {
        assert!(matches!(import(access, &secret, &token).await, Err(KeyError::AccessKeyId(_))), "{access}");
    }
    let short = Secret::new("short");
    assert!(matches!(import("AKIAIOSFODNN7EXAMPL2", &short, &token).await, Err(KeyError::Short(20))));
    assert!(matches!(import("AKIAIOSFODNN7EXAMPL2", &secret, &short).await, Err(KeyError::Short(20))));
    let pasted = Secret::new("s/ecret+0123456789abcdef=\n");
    assert!(matches!(import("AKIAIOSFODNN7EXAMPL2", &pasted, &token).await, Err(KeyError::Secret)));
}

#[tokio::test]
async fn a_successor_has_the_same_rights_and_as_long_a_life() {
    let b = bench();
    let old = b.keys.create(&KeyRequest { expires_in: Some(30 * DAY), ..request() }).await.unwrap();
    b.clock.advance(10 * DAY);
    let new = b.keys.rotate(&id(&old.key_id), DAY).await.unwrap();
    let (keys, _) = b.keys.changed(0).await.unwrap();
    let of = |wanted: &str| keys.iter().find(|k| *k.id.0 == *wanted).unwrap();
    let (old_key, new_key) = (of(&old.key_id), of(&new.key_id));
    let now = b.clock.now();
    assert_eq!(old_key.expires_at, Some(now.plus(DAY)));
    assert_eq!(new_key.expires_at, Some(now.plus(30 * DAY)));
    assert_eq!(new_key.features, old_key.features);
    assert_eq!(new_key.models, old_key.models);
    assert_eq!(new_key.principal.team, old_key.principal.team);
    assert_ne!(new.access_key_id, old.access_key_id);
    b.clock.advance(DAY);
    assert_eq!(old_key.standing(b.clock.now()), Standing::Expired);
    assert_eq!(new_key.standing(b.clock.now()), Standing::Good);
}

#[tokio::test]
async fn an_overlap_never_makes_a_key_live_longer() {
    let b = bench();
    let old = b.keys.create(&KeyRequest { expires_in: Some(DAY), ..request() }).await.unwrap();
    b.keys.rotate(&id(&old.key_id), 7 * DAY).await.unwrap();
    let stored = b.ledger.key(&id(&old.key_id)).await.unwrap().unwrap();
    assert_eq!(stored.expires_at, Some(b.clock.now().plus(DAY)));
}

#[tokio::test]
async fn a_key_is_rotated_once_and_then_its_successor() {
    let b = bench();
    let old = b.keys.create(&request()).await.unwrap();
    let new = b.keys.rotate(&id(&old.key_id), DAY).await.unwrap();
    let again = b.keys.rotate(&id(&old.key_id), DAY).await.unwrap_err();
    assert!(
        matches!(&again, KeyError::Rotated(o, n) if *o.0 == *old.key_id && *n.0 == *new.key_id),
        "{again}"
    );
    // a successor whose secrets were lost is disabled; the next one still lives for ever
    b.keys.disable(&id(&new.key_id)).await.unwrap();
    let next = b.keys.rotate(&id(&old.key_id), DAY).await.unwrap();
    assert_eq!(next.expires_at, None);
    assert!(b.keys.rotate(&id(&next.key_id), DAY).await.is_ok());
}

#[tokio::test]
async fn a_rotation_that_fails_half_way_leaves_no_key_in_force() {
    let b = bench();
    let old = b.keys.create(&request()).await.unwrap();
    b.ledger.no_expiry.store(true, Ordering::SeqCst);
    assert!(matches!(b.keys.rotate(&id(&old.key_id), DAY).await, Err(KeyError::Store(_))));
    let keys = b.keys.list().await.unwrap();
    let successor = keys.iter().find(|k| k.rotated_from.is_some()).unwrap();
    assert!(successor.disabled_at.is_some(), "its secrets are known to nobody");
    b.ledger.no_expiry.store(false, Ordering::SeqCst);
    assert!(b.keys.rotate(&id(&old.key_id), DAY).await.is_ok(), "it can be tried again");
}

#[tokio::test]
async fn a_disabled_key_stays_disabled_at_its_first_moment() {
    let b = bench();
    let made = b.keys.create(&request()).await.unwrap();
    let first: Timestamp = b.clock.now();
    b.keys.disable(&id(&made.key_id)).await.unwrap();
    b.clock.advance(DAY);
    b.keys.disable(&id(&made.key_id)).await.unwrap();
    assert_eq!(b.keys.list().await.unwrap()[0].disabled_at, Some(first));
    assert!(matches!(b.keys.rotate(&id(&made.key_id), DAY).await, Err(KeyError::Disabled(_))));
    assert!(matches!(b.keys.disable(&id("key_none")).await, Err(KeyError::NotFound(_))));
    assert!(matches!(b.keys.rotate(&id("key_none"), DAY).await, Err(KeyError::NotFound(_))));
}

#[tokio::test]
async fn a_key_that_cannot_be_opened_does_not_hold_up_the_others() {
    let b = bench();
    let first = b.keys.create(&request()).await.unwrap();
    let stranger = Keymaker {
        ledger: Arc::clone(&b.ledger) as Arc<dyn Keys>,
        master: Arc::new(MasterKey::generate(&SeededIds::new(99))),
        ids: Arc::new(SeededIds::new(98)),
        clock: Arc::new(b.clock.clone()),
    };
    stranger.create(&request()).await.unwrap();
    let (open, up_to) = b.keys.changed(0).await.unwrap();
    assert_eq!(open.iter().map(|k| &*k.id.0).collect::<Vec<_>>(), [&*first.key_id]);
    assert_eq!(up_to, 2, "it is not asked for again and again");
}
