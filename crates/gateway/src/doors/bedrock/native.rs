//! A Bedrock body as the pipeline sees it.

use bedplate_core::cache::Canonical;
use bedplate_core::call::{Headers, Operation};
use bedplate_core::content::Content;
use bedplate_core::refusal::Refusal;
use bedplate_core::view::{Edits, View};
use bedplate_pipeline::Native;
use bedplate_wire::bedrock::view::{self, Asked};
use bedplate_wire::bedrock::{Family, cache, maker, own};
use bedplate_wire::sigv4::{BodyDigest, Hex64};
use bytes::Bytes;

/// The body, hashed once, and its view.
pub(super) struct Body {
    content: Content,
    digest: BodyDigest,
    view: Box<dyn View>,
    operation: Operation,
    family: Family,
    maker: Option<&'static str>,
}

impl Body {
    pub(super) fn read(op: Operation, name: &str, bytes: Bytes, headers: &Headers) -> Result<Self, Refusal> {
        let digest = BodyDigest::of(&bytes);
        let content = Content::new(bytes);
        let family = Family::of(name);
        let asked = Asked {
            operation: op,
            family,
            content_type: headers.get("content-type").map(|v| &**v),
            metadata: headers.get("x-amzn-bedrock-request-metadata").map(|v| &**v),
        };
        let view = view::read(&asked, &content)?;
        let maker = maker(name);
        Ok(Self { content, digest, view, operation: op, family, maker })
    }

    pub(super) fn digest_hex(&self) -> Hex64 {
        self.digest.hex()
    }
}

impl Native for Body {
    fn content(&self) -> &Content {
        &self.content
    }

    fn view(&self) -> &dyn View {
        &*self.view
    }

    fn sha256(&self, edits: &Edits) -> [u8; 32] {
        self.digest.with_edits(&self.content, edits)
    }

    fn canonical(&self, headers: &Headers) -> Option<Canonical> {
        cache::canonical(self.operation, self.family, headers, &self.content)
    }

    fn fits(&self, model: &str) -> bool {
        let native =
            matches!(self.operation, Operation::InvokeModel | Operation::InvokeModelWithResponseStream);
        !native || Family::of(model) == self.family
    }

    fn is_foreign_to(&self, model: &str) -> bool {
        let other = maker(model);
        let known = self.maker.is_some() && other.is_some();
        known && (other != self.maker || Family::of(model) != self.family)
    }

    fn answer(&self, text: &str) -> Option<(Headers, Content)> {
        own::answer(self.operation, text)
    }
}
