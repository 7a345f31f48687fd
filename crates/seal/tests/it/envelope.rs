use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use bedplate_core::ids::{Ids, SystemIds};
use bedplate_seal::{MasterKeyId, SealError};
use bedplate_testkit::SeededIds;
use proptest::prelude::*;

use super::key;

proptest! {
    #[test]
    fn what_is_sealed_opens(seed: u64, associated: Vec<u8>, plain: Vec<u8>) {
        let key = key(seed);
        let sealed = key.seal(&*SystemIds::shared(), &associated, &plain);
        prop_assert_eq!(sealed.len(), 130 + plain.len());
        prop_assert_eq!(&**key.open(&associated, &sealed).unwrap(), &plain[..]);
    }

    #[test]
    fn any_changed_bit_is_noticed(plain: Vec<u8>, at: prop::sample::Index, bit in 0u8..8) {
        let key = key(1);
        let mut sealed = key.seal(&*SystemIds::shared(), b"row 7", &plain);
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        let e = key.open(b"row 7", &sealed).unwrap_err();
        match at {
            0 | 1 => prop_assert!(matches!(e, SealError::UnknownFormat { .. }), "{}", e),
            2..10 => prop_assert!(matches!(e, SealError::OtherKey { .. }), "{}", e),
            _ => prop_assert_eq!(e, SealError::Damaged),
        }
    }

    #[test]
    fn any_other_place_is_noticed(here: Vec<u8>, there: Vec<u8>, plain: Vec<u8>) {
        prop_assume!(here != there);
        let sealed = key(1).seal(&*SystemIds::shared(), &here, &plain);
        prop_assert_eq!(key(1).open(&there, &sealed).unwrap_err(), SealError::Damaged);
    }

    #[test]
    fn any_bytes_at_all_are_refused(bytes: Vec<u8>) {
        prop_assert!(key(1).open(b"", &bytes).is_err());
    }
}

#[test]
fn a_shorter_envelope_is_noticed() {
    let sealed = key(1).seal(&*SystemIds::shared(), b"", b"forty-one bytes of secret, more or less.");
    for n in 0..sealed.len() {
        let e = key(1).open(b"", &sealed[..n]).unwrap_err();
        assert_eq!(e, if n < 130 { SealError::TooShort(n) } else { SealError::Damaged });
    }
    let longer = [&sealed[..], b"x"].concat();
    assert_eq!(key(1).open(b"", &longer).unwrap_err(), SealError::Damaged);
}

#[test]
fn the_wrong_key_says_which_is_needed() {
    let sealed = key(1).seal(&*SystemIds::shared(), b"", b"x");
    assert_eq!(MasterKeyId::of_envelope(&sealed).unwrap(), key(1).id());
    let e = key(2).open(b"", &sealed).unwrap_err();
    assert_eq!(e, SealError::OtherKey { needed: key(1).id(), have: key(2).id() });
    assert!(e.to_string().contains(&key(1).id().to_string()));
}

#[test]
fn no_two_envelopes_share_a_nonce_or_a_key() {
    let ids = SystemIds::shared();
    let (a, b) = (key(1).seal(&*ids, b"", b"same"), key(1).seal(&*ids, b"", b"same"));
    for part in [10..22, 22..70, 70..102, 102..114, 114..134] {
        assert_ne!(a[part.clone()], b[part]);
    }
}

#[test]
fn nothing_secret_is_formatted() {
    assert_eq!(format!("{:?}", key(1)), format!("MasterKey({})", key(1).id()));
}

/// Opens an envelope by the documented format alone, with HKDF written out as HMAC.
#[test]
fn the_format_is_the_documented_one() {
    let mut master = [0; 32];
    SeededIds::new(9).fill(&mut master);
    let sealed = key(9).seal(&SeededIds::new(3), b"AKIAEXAMPLE", b"secret access key");

    assert_eq!(sealed[..2], [1, 1]);
    assert_eq!(sealed[2..10], hkdf(&master, b"bedplate seal 1 id")[..8]);
    let mut data_key = sealed[22..70].to_vec();
    open(&hkdf(&master, b"bedplate seal 1 wrap"), &sealed[10..22], &sealed[..10], &mut data_key);
    assert_eq!(sealed[70..102], hkdf(&data_key, b"bedplate seal 1 commitment"));
    let mut content = sealed[114..].to_vec();
    let bound = [&sealed[..102], b"AKIAEXAMPLE"].concat();
    open(&hkdf(&data_key, b"bedplate seal 1 content"), &sealed[102..114], &bound, &mut content);
    assert_eq!(content, b"secret access key");
}

fn hkdf(secret: &[u8], info: &[u8]) -> [u8; 32] {
    let hmac = |key: &[u8], data: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    let extracted = hmac(&[0; 32], secret);
    hmac(extracted.as_ref(), &[info, &[1]].concat()).as_ref().try_into().unwrap()
}

fn open(key: &[u8; 32], nonce: &[u8], associated: &[u8], sealed: &mut Vec<u8>) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    let n = key.open_in_place(nonce, Aad::from(associated), sealed).unwrap().len();
    sealed.truncate(n);
}
