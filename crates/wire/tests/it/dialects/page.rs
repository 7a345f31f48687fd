//! The page that says what every form has a place for.

use std::fmt::Write;

use bedplate_core::conversation::{Carry, Feature};
use bedplate_core::form::Form;
use bedplate_wire::translate::carries;

const HEAD: &str = "\
# Dialects

<!-- made by `cargo run -q -p bedplate-wire --example dialects > docs/dialects.md` -->

An application keeps the SDK that it has, and the model behind it is a line of configuration. Where the caller's dialect
and the target's are the same, bytes pass through as they came. Everywhere else the request is read into one normal form
(a superset of Bedrock's Converse) and written from it for the target; the answer comes back the same way, streams event by
event. No dialect is ever turned into another directly.

What a target has no place for is one of two things:

- **left out**, where the answer is as good an answer without it. It is never silent: the answer has a header that names
  what was left out, in these words, and so has the call's record:

  ```text
  x-bedplate-dropped: top_k, seed
  ```

  An unknown member goes to targets of its own dialect only, and stands in that list under its own name.
- **refused**, where without it the answer would be another one than was asked for. The call fails with
  [`BP1205`](errors/BP1205.md), which names the feature or the member by its path, in the shape of the caller's dialect.

Some things depend on the model and not on the dialect:

- Converse says thinking, effort, `top_k` and beta wishes in the words of the model's family. To a family that knows no such
  words they are left out; a budget for thinking becomes an effort for models in OpenAI's form, and for Nova.
- Converse and Nova cannot forbid tools (`tool_choice_none`): the tools themselves are left out, which means the same.
  In a conversation that already used tools that cannot be done, and the call is refused.
- Marks for the prompt cache go to Claude and Nova through Converse; other families refuse them, so they are left out.
- Reasoning of earlier answers, and fields of a model's own, mean nothing to a model of another family: they are left out
  when a call falls back to one.
- Tool ids that Converse does not take (over 64 characters, others than `a-z A-Z 0-9 _ . : -`), and ids that stand for several
  uses, are written in another way, the same for a use and its result. Documents without a name that Converse takes get one.
- Metadata: AWS takes 16 pairs. The caller's come first.
- The name of the person behind a call (`user`) is recorded by bedplate and needs no place in Bedrock's bodies.

";

/// The whole page.
pub(crate) fn page() -> String {
    let forms: Vec<Form> =
        Form::ALL.iter().copied().filter(|form| carries(*form, Feature::Text).is_some()).collect();
    let mut reasons: Vec<&'static str> = Vec::new();
    let mut table = String::new();
    for feature in Feature::ALL {
        let mut row = format!("| `{}` | {} |", feature.name(), feature.summary());
        for form in &forms {
            let _ = match carries(*form, *feature) {
                // whatever the form says of itself: it goes to its own dialect
                _ if *feature == Feature::Rest => write!(row, " own only |"),
                None => write!(row, " |"),
                Some(Carry::Carried) => write!(row, " yes |"),
                Some(Carry::Dropped) => write!(row, " left out |"),
                Some(Carry::Refused(why)) => {
                    let place = reasons.iter().position(|known| *known == why).unwrap_or(reasons.len());
                    if place == reasons.len() {
                        reasons.push(why);
                    }
                    write!(row, " refused [{}] |", place + 1)
                }
            };
        }
        table.push_str(&row);
        table.push('\n');
    }
    let mut page = HEAD.to_owned();
    page.push_str("## What every form has a place for\n\n| feature | what it is |");
    forms.iter().for_each(|form| page.push_str(&format!(" {} |", form.name())));
    page.push_str("\n|---|---|");
    forms.iter().for_each(|_| page.push_str("---|"));
    page.push('\n');
    page.push_str(&table);
    page.push_str("\nWhy something is refused:\n\n");
    for (place, why) in reasons.iter().enumerate() {
        page.push_str(&format!("{}. {why}\n", place + 1));
    }
    page
}
