//! What an entry is called by, in SQL.

use bedplate_core::spend::Dimension;

use super::Tongue;
use super::entry::{class, detail, member};

/// The value of an entry, as text; empty when it has none.
pub(super) fn value(of: Dimension, tongue: Tongue) -> String {
    let value = match of {
        Dimension::Team => return "c.team".into(),
        Dimension::Feature => return "c.feature".into(),
        Dimension::Environment => return "c.environment".into(),
        Dimension::Alias => return "c.model".into(),
        Dimension::Outcome => return "c.ending".into(),
        Dimension::Class => return class(tongue),
        Dimension::Key => "c.key_id".into(),
        Dimension::Chain => "c.chain".into(),
        Dimension::User => detail(&["user"], tongue),
        Dimension::Prompt => {
            let [name, version] = ["name", "version"].map(|member| detail(&["prompt", member], tongue));
            format!("({name}) || '@' || ({version})")
        }
        Dimension::Operation => detail(&["operation"], tongue),
        // of a call that asked nobody, the model that it wanted
        Dimension::Model => {
            let of_attempt = [&["model"][..], &["target"]].map(|path| format!("({})", member(path, tongue)));
            format!("{}, c.model", of_attempt.join(", "))
        }
        Dimension::Provider => member(&["provider"], tongue),
        Dimension::Region => member(&["region"], tongue),
        Dimension::Account => member(&["account"], tongue),
        Dimension::Tier => member(&["tier"], tongue),
        Dimension::Code => "'BP' || c.code".into(),
        Dimension::Prices => member(&["price_version"], tongue),
    };
    format!("COALESCE({value}, '')")
}
