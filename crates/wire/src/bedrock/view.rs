//! What a request body asks for, read once; the body itself stays as it came.

use bedplate_core::call::Operation;
use bedplate_core::content::Content;
use bedplate_core::refusal::Refusal;
use bedplate_core::view::{Edits, Stamped, View};

use super::Family;

/// The header in which `InvokeModel` carries request metadata.
pub const METADATA_HEADER: &str = "x-amzn-bedrock-request-metadata";

/// What decides how a body is read.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub operation: Operation,
    pub family: Family,
    /// The header `content-type`; absent means JSON.
    pub content_type: Option<&'a [u8]>,
    /// The header [`METADATA_HEADER`] of the request.
    pub metadata: Option<&'a [u8]>,
}

/// Reads a request body.
///
/// # Errors
/// `BP1203` when it is not the JSON object that the operation takes, or names a member that we read
/// twice; `BP1205` when such a member has another type. Messages give line and column, never content.
pub fn read(_asked: &Asked<'_>, _body: &Content) -> Result<Box<dyn View>, Refusal> {
    Ok(Box::new(Opaque))
}

struct Opaque;

impl View for Opaque {
    fn max_tokens(&self) -> Option<u64> {
        None
    }

    fn stamp(&self, _: &[(&str, &str)], _: &str, _: &mut Edits) -> Result<Stamped, Refusal> {
        Ok(Stamped::default())
    }
}
