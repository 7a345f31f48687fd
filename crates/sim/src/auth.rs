//! Who may call: SigV4 in headers or query, or a bearer key.
//!
//! The signature is not computed by code of ours: the request is signed again with `aws-sigv4` over
//! what it says it signed, and the two are compared. Only `:authority`, which the JavaScript SDK signs
//! over HTTP/2 and which `aws-sigv4` cannot take as a header name, has a canonical form written here.

mod canonical;
mod claim;

use std::collections::HashMap;

use bedplate_core::clock::Timestamp;
use bedplate_core::ids::{self, Ids};
use bedplate_core::secret::Secret;

use crate::config::{Auth, Config};
use crate::errors::AwsError;
use crate::request::Request;
use crate::server::SimError;
use claim::{Claim, find};

/// How far the signer's clock may be off.
const SKEW_SECONDS: i64 = 300;

/// The keys that are let in.
pub(crate) struct Keys {
    mode: Auth,
    regions: Vec<String>,
    pairs: HashMap<String, Secret>,
    bearers: Vec<Secret>,
    first: (String, Secret),
}

impl Keys {
    /// Reads the configured secrets; makes a pair when none is configured.
    ///
    /// # Errors
    /// When a secret cannot be read.
    pub(crate) fn build(config: &Config, ids: &dyn Ids) -> Result<Self, SimError> {
        let mut pairs = Vec::new();
        for c in &config.credentials {
            let secret = c.secret_access_key.read().map_err(SimError::Config)?;
            pairs.push((c.access_key_id.clone(), secret));
        }
        if pairs.is_empty() {
            let id = format!("AKIA{}", ids::text(ids, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
            pairs.push((id, Secret::new(ids::text(ids, crate::seed::ALPHANUMERIC, 40))));
        }
        let bearers = config.bearer_tokens.iter().map(|t| t.read().map_err(SimError::Config));
        Ok(Self {
            mode: config.auth,
            regions: config.regions.clone(),
            first: pairs[0].clone(),
            pairs: pairs.into_iter().collect(),
            bearers: bearers.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn first(&self) -> (String, Secret) {
        self.first.clone()
    }

    /// Checks a request and says which region it is for.
    pub(crate) fn check(&self, request: &Request, now: Timestamp) -> Result<String, AwsError> {
        let claim = match find(request) {
            Err(_) | Ok(None) if self.mode == Auth::Any => return Ok(self.home()),
            found => found?.ok_or_else(AwsError::missing_token)?,
        };
        let signed = match claim {
            _ if self.mode == Auth::Any => return Ok(claim.region().unwrap_or_else(|| self.home())),
            Claim::Bearer(token) => return self.bearer(&token),
            Claim::Signed(signed) => signed,
        };
        let secret = self.pairs.get(&signed.access_key_id).ok_or_else(AwsError::unrecognized_client)?;
        if signed.service != "bedrock" {
            return Err(AwsError::invalid_signature(
                "Credential should be scoped to correct service: 'bedrock'. ",
            ));
        }
        if !self.regions.is_empty() && !self.regions.contains(&signed.region) {
            return Err(AwsError::invalid_signature(format!(
                "Credential should be scoped to a valid region, not '{}'. ",
                signed.region
            )));
        }
        signed.in_time(now)?;
        if let Some(sent) = request.header("x-amz-content-sha256")
            && sent != "UNSIGNED-PAYLOAD"
            && sent != request.body_sha256
        {
            return Err(AwsError::invalid_signature(MISMATCH));
        }
        let expected = canonical::signature(request, &signed, secret)
            .map_err(|why| AwsError::incomplete_signature(format!("{why}.")))?;
        if same(expected.as_bytes(), signed.signature.as_bytes()) {
            Ok(signed.region)
        } else {
            Err(AwsError::invalid_signature(MISMATCH))
        }
    }

    fn bearer(&self, token: &str) -> Result<String, AwsError> {
        if self.bearers.iter().any(|t| same(t.expose().as_bytes(), token.as_bytes())) {
            return Ok(self.home());
        }
        Err(AwsError::access_denied("Authentication failed: Please make sure your API Key is valid."))
    }

    fn home(&self) -> String {
        self.regions.first().cloned().unwrap_or_else(|| "us-east-1".into())
    }
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// Compares without telling by the time taken where two texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}
