//! SigV4 for one kind of request: a POST of JSON, signed as boto3 signs it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

/// Signs for one key pair, region and path; keeps the day's key.
pub struct Signer {
    key_id: String,
    secret: String,
    region: String,
    host: String,
    /// The path as it is sent, percent-encoded once more.
    canonical_path: String,
    day: Option<(String, Key)>,
}

pub struct Signature {
    pub authorization: String,
}

impl Signer {
    pub fn new(key_id: &str, secret: &str, region: &str, host: &str, path: &str) -> Self {
        Self {
            key_id: key_id.into(),
            secret: secret.into(),
            region: region.into(),
            host: host.into(),
            canonical_path: path.replace('%', "%25"),
            day: None,
        }
    }

    /// Signs `body` at `date`: `20261122T142200Z`.
    pub fn sign(&mut self, date: &str, body: &[u8]) -> Signature {
        let day = &date[..8];
        if self.day.as_ref().is_none_or(|(known, _)| known != day) {
            self.day = Some((day.to_owned(), self.day_key(day)));
        }
        let canonical = format!(
            "POST\n{}\n\ncontent-type:application/json\nhost:{}\nx-amz-date:{date}\n\ncontent-type;host;x-amz-date\n{}",
            self.canonical_path,
            self.host,
            hex(digest(&SHA256, body).as_ref()),
        );
        let scope = format!("{day}/{}/bedrock/aws4_request", self.region);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            hex(digest(&SHA256, canonical.as_bytes()).as_ref())
        );
        let key = &self.day.as_ref().expect("made above").1;
        let signature = hex(sign(key, to_sign.as_bytes()).as_ref());
        Signature {
            authorization: format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=content-type;host;x-amz-date, Signature={signature}",
                self.key_id
            ),
        }
    }

    fn day_key(&self, day: &str) -> Key {
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [day, &self.region, "bedrock", "aws4_request"] {
            key = sign(&Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
        }
        Key::new(HMAC_SHA256, &key)
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)] as char, DIGITS[usize::from(b & 15)] as char])
        .collect()
}

/// `20261122T142200Z` for seconds since 1970.
pub fn date(unix: u64) -> String {
    let (days, second) = (unix / 86_400, unix % 86_400);
    // days to a civil date, with March as the first month so that leap days come last
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_are_civil() {
        assert_eq!(super::date(0), "19700101T000000Z");
        assert_eq!(super::date(951_782_399), "20000228T235959Z");
        assert_eq!(super::date(951_782_400), "20000229T000000Z");
        assert_eq!(super::date(1_795_357_320), "20261122T142200Z");
    }

    /// The signature is botocore 1.44.5's for the same request.
    #[test]
    fn signs_as_botocore_does_and_keeps_a_day_key_for_its_day_only() {
        let mut signer =
            super::Signer::new("AKID", "SECRET", "us-east-1", "127.0.0.1:1", "/model/a%3A0/converse");
        let one = signer.sign("20261122T140200Z", b"{}").authorization;
        assert_eq!(
            one,
            "AWS4-HMAC-SHA256 Credential=AKID/20261122/us-east-1/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=e3a900eefdca425b34693fc21e4b8daa82686c9faacd7377203b4d92a9f32cd9"
        );
        let other_day = signer.sign("20261123T140200Z", b"{}").authorization;
        assert_ne!(one.rsplit('=').next(), other_day.rsplit('=').next());
        assert_eq!(signer.sign("20261122T140200Z", b"{}").authorization, one);
    }
}
