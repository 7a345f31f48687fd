//! Service tiers, in AWS's words and OpenAI's.

use std::borrow::Cow;

/// In AWS's words; `None` when it is left to the service.
///
/// # Errors
/// For words that are none.
pub(super) fn read(tier: &str) -> Result<Option<Cow<'static, str>>, &'static str> {
    match tier {
        "auto" => Ok(None),
        "default" => Ok(Some("default".into())),
        "flex" => Ok(Some("flex".into())),
        "priority" => Ok(Some("priority".into())),
        "scale" => Ok(Some("reserved".into())),
        _ => Err("expected `auto`, `default`, `flex`, `priority` or `scale`"),
    }
}

/// In OpenAI's words.
pub(super) fn said(tier: &str) -> &str {
    match tier {
        "reserved" => "scale",
        other => other,
    }
}
