//! How we prove who we are.

use bedplate_core::principal::Principal;
use bedplate_core::refusal::Code;
use bedplate_core::secret::Secret;
use bedplate_pipeline::Deadlines;
use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use tokio::time::timeout_at;

use super::Bedrock;
use super::sign::Signer;
use crate::attempt::Wrong;
use crate::pool::Slices;

pub(super) enum Auth {
    SigV4(Signer),
    Bearer(Secret),
}

/// The header that carries a bearer key.
///
/// # Errors
/// When the key fits no header.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| "the bearer key fits no header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

impl Bedrock {
    /// Adds what proves who we are to a request that is otherwise complete: the provider, or the caller's tenant.
    pub(super) async fn authorize(
        &self,
        request: &mut Request<Slices>,
        (who, sha256): (Option<&Principal>, &[u8; 32]),
        deadlines: &Deadlines,
    ) -> Result<(), Wrong> {
        let none = |e: String| (Code::NoUpstreamCredentials, e);
        let own = match &self.auth {
            Auth::Bearer(token) => {
                request.headers_mut().insert(AUTHORIZATION, bearer(token).map_err(none)?);
                return Ok(());
            }
            Auth::SigV4(own) => own,
        };
        let session = who.and_then(|who| self.session(who));
        let signer = session.as_ref().map_or(own, |session| &session.signer);
        let signing = signer.sign(request, sha256, self.clock.now());
        let said = match timeout_at(deadlines.connect, signing).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(e)) => e,
            Err(_) => "the AWS credential chain has not answered yet".into(),
        };
        Err(none(match &session {
            Some(session) => format!("{}: {said}", session.said),
            None => said,
        }))
    }
}
