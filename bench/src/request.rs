//! Requests as boto3 sends them, each with a text, a length and a signature of its own.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::sign::{Signer, date};

/// Fixed parts of the User-Agent that boto3 sends.
const AGENT: &str =
    "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11 cfg/retry-mode#standard";
const WORDS: [&str; 32] = [
    "engine",
    "frame",
    "bolt",
    "inventor",
    "summary",
    "lathe",
    "history",
    "paragraph",
    "sentence",
    "steam",
    "heavy",
    "cast",
    "working",
    "parts",
    "machine",
    "tool",
    "name",
    "fact",
    "short",
    "question",
    "answer",
    "customer",
    "order",
    "invoice",
    "ticket",
    "refund",
    "delivery",
    "address",
    "please",
    "explain",
    "compare",
    "why",
];

/// How a request says who sends it.
#[derive(Clone)]
pub enum Proof {
    Signed { key_id: String, secret: String },
    Bearer(String),
}

/// In whose words requests are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Words {
    Converse,
    /// Chat completions of a model, whole or as a stream.
    OpenAi {
        model: String,
        stream: bool,
    },
    /// Messages of a model, whole or as a stream.
    Anthropic {
        model: String,
        stream: bool,
    },
}

impl Words {
    /// What stands before the text, and after it.
    fn around(&self) -> (String, String) {
        match self {
            Self::Converse => (
                r#"{"messages":[{"role":"user","content":[{"text":""#.into(),
                r#""}]}],"inferenceConfig":{"maxTokens":256,"temperature":0}}"#.into(),
            ),
            Self::OpenAi { model, stream } => (
                format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":""#),
                format!(r#""}}],"max_tokens":256,"temperature":0,"stream":{stream}}}"#),
            ),
            Self::Anthropic { model, stream } => (
                format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":""#),
                format!(r#""}}],"max_tokens":256,"temperature":0,"stream":{stream}}}"#),
            ),
        }
    }
}

/// Makes one request after the other.
pub struct Maker {
    head: String,
    proof: Proven,
    chance: Chance,
    now: (u64, String),
    body: String,
    around: (String, String),
    /// Every request has the body of the first.
    same: bool,
}

enum Proven {
    Signed(Box<Signer>),
    Bearer(String),
}

impl Maker {
    /// `host` is `name:port`; `seed` differs from maker to maker.
    pub fn new(host: &str, path: &str, proof: &Proof, words: &Words, seed: u64) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\n\
             Content-Type: application/json\r\nUser-Agent: {AGENT}\r\n"
        );
        let proof = match proof {
            Proof::Signed { key_id, secret } => {
                Proven::Signed(Box::new(Signer::new(key_id, secret, "us-east-1", host, path)))
            }
            Proof::Bearer(token) => Proven::Bearer(token.clone()),
        };
        Self {
            head,
            proof,
            chance: Chance::new(seed),
            now: (0, String::new()),
            body: String::with_capacity(512),
            around: words.around(),
            same: false,
        }
    }

    /// Asks the same all the time, as every other maker that does: with a signature of its own still.
    pub fn same(mut self) -> Self {
        self.chance = Chance::new(1);
        self.write_body();
        self.same = true;
        self
    }

    /// Replaces `out` by the next request: about 350 bytes of body, no two alike.
    pub fn next(&mut self, out: &mut String) {
        if !self.same {
            self.write_body();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        if self.now.0 != now {
            self.now = (now, date(now));
        }
        out.clear();
        out.push_str(&self.head);
        let (a, b) = (self.chance.next(), self.chance.next());
        let _ = match &mut self.proof {
            Proven::Signed(signer) => {
                let date = &self.now.1;
                let signature = signer.sign(date, self.body.as_bytes());
                write!(out, "X-Amz-Date: {date}\r\nAuthorization: {}\r\n", signature.authorization)
            }
            Proven::Bearer(token) => write!(out, "Authorization: Bearer {token}\r\n"),
        };
        let _ = write!(
            out,
            "amz-sdk-invocation-id: {:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}\r\namz-sdk-request: attempt=1\r\nContent-Length: {}\r\n\r\n{}",
            a as u32,
            (a >> 32) as u16,
            (a >> 48) as u16 & 0xfff,
            b as u16 & 0xfff,
            b >> 16,
            self.body.len(),
            self.body
        );
    }

    fn write_body(&mut self) {
        self.body.clear();
        self.body.push_str(&self.around.0);
        let length = self.body.len() + 180 + (self.chance.next() % 120) as usize;
        let _ = write!(self.body, "{:x}", self.chance.next());
        while self.body.len() < length {
            let mut bits = self.chance.next();
            for _ in 0..8 {
                self.body.push(' ');
                self.body.push_str(WORDS[(bits & 31) as usize]);
                bits >>= 5;
            }
        }
        self.body.push_str(&self.around.1);
    }
}

/// xorshift64*: varied is enough here.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_differ_in_text_and_length_and_stay_near_350_bytes() {
        let proof = Proof::Bearer("t".into());
        let mut maker = Maker::new("h:1", "/p", &proof, &Words::Converse, 7);
        let (mut seen, mut lengths, mut sum) =
            (std::collections::HashSet::new(), std::collections::HashSet::new(), 0);
        for _ in 0..1000 {
            let mut out = String::new();
            maker.next(&mut out);
            let body = out.split_once("\r\n\r\n").unwrap().1.to_owned();
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
            assert!(out.contains(&format!("Content-Length: {}\r\n", body.len())));
            sum += body.len();
            lengths.insert(body.len());
            assert!(seen.insert(body));
        }
        assert!(lengths.len() > 50);
        assert!((320..420).contains(&(sum / 1000)), "{}", sum / 1000);
    }
}
