//! `bedplate explain BP1203`: the page of an error code, compiled in.

use std::process::ExitCode;

use bedplate_core::refusal::Code;
use serde_json::json;

use crate::exit::Failure;
use crate::out::{self, Format, say};

macro_rules! pages {
    ($($code:ident = $file:literal),* $(,)?) => {
        /// The page of a code.
        fn page(code: Code) -> &'static str {
            match code {
                $(Code::$code => include_str!(concat!("../../../../docs/errors/", $file, ".md"))),*
            }
        }
    };
}

pages! {
    NoCredentials = "BP1001",
    UnknownKey = "BP1002",
    BadSignature = "BP1003",
    ClockSkew = "BP1004",
    BadBearer = "BP1005",
    KeyExpired = "BP1006",
    BadAuthorization = "BP1007",
    SessionToken = "BP1008",
    ModelNotAllowed = "BP1101",
    FeatureNotAllowed = "BP1102",
    OperationNotAllowed = "BP1103",
    UnknownOperation = "BP1201",
    BodyTooLarge = "BP1202",
    BadBody = "BP1203",
    BodyTimeout = "BP1204",
    BadValue = "BP1205",
    LedgerUnavailable = "BP1301",
    BudgetSpent = "BP1401",
    BudgetHeld = "BP1402",
    SoftBudgetSpent = "BP1403",
    BudgetUnpriced = "BP1404",
    BudgetUnreachable = "BP1405",
    Overloaded = "BP1302",
    RateExceeded = "BP1501",
    TokenRateExceeded = "BP1502",
    RateTooLow = "BP1503",
    SlotsTaken = "BP1504",
    UnknownModel = "BP2001",
    ReservedMetadata = "BP2002",
    ConnectTimeout = "BP4001",
    FirstTokenTimeout = "BP4002",
    IdleTimeout = "BP4003",
    TotalTimeout = "BP4004",
    Unreachable = "BP4005",
    BrokenAnswer = "BP4006",
    NoUpstreamCredentials = "BP4007",
    UpstreamError = "BP4008",
    NoRoom = "BP4009",
    TooLarge = "BP4010",
    Bug = "BP9001",
}

pub(crate) fn run(code: &str, format: Format) -> Result<ExitCode, Failure> {
    let Ok(code) = code.parse::<Code>() else {
        let known: Vec<String> = Code::ALL.iter().map(Code::to_string).collect();
        return Err(
            Failure::usage(format!("there is no code `{code}`")).hint(format!("Codes: {}", known.join(", ")))
        );
    };
    let page = page(code).trim_end();
    match format {
        Format::Human => say(page)?,
        Format::Json => out::json(&json!({
            "code": code,
            "summary": code.summary(),
            "stage": code.stage(),
            "fault": code.fault(),
            "page": page,
        }))?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_begins_with_its_code_and_says_what_to_do() {
        for code in Code::ALL {
            let page = page(*code);
            assert!(page.starts_with(&format!("# {code}")), "{code}");
            assert!(page.contains("## What to do"), "{code}");
        }
    }
}
