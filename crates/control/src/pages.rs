//! The console: pages made here, complete without a script and better with one.
//!
//! Each page has a template in `templates/` and a type here that holds exactly what it shows, as text
//! or numbers that are ready to print; templates escape all of it.

pub(crate) mod assets;
pub(crate) mod budgets;
pub(crate) mod call;
pub(crate) mod console;
pub(crate) mod fresh;
pub(crate) mod login;

mod chart;
mod health;
mod latency;
mod row;
mod show;
mod spend;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use crate::api::error::Problem;

/// A page that says what went wrong.
#[derive(Template)]
#[template(path = "problem.html")]
struct Trouble {
    status: u16,
    message: String,
}

/// Renders a page.
fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(e) => {
            tracing::error!("a page cannot be rendered: {e}");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be rendered\n").into_response()
        }
    }
}

fn trouble(problem: &Problem) -> Response {
    let page = Trouble { status: problem.status().as_u16(), message: problem.message().to_owned() };
    render(problem.status(), &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(page: &impl Template) -> String {
        page.render().unwrap()
    }

    #[test]
    fn every_page_renders_its_sample_and_keeps_to_the_policy() {
        let pages = [
            html(&login::Login::sample()),
            html(&console::Console::sample()),
            html(&console::Fragment::sample()),
            html(&call::Page::sample()),
            html(&Trouble { status: 404, message: "the ledger has no call".into() }),
        ];
        for page in pages {
            for forbidden in ["style=\"", "<style", "onclick", "onload", "javascript:", "http://", "https://"]
            {
                assert!(!page.contains(forbidden), "`{forbidden}` in {page}");
            }
            assert!(!page.contains("<script>"), "scripts are files");
            assert_eq!(page.matches("<div").count(), page.matches("</div>").count(), "{page}");
        }
    }

    #[test]
    fn what_callers_name_is_escaped() {
        let evil = "<script>alert(1)</script>\" onmouseover=\"x";
        let mut fragment = console::Fragment::sample();
        fragment.rows[0].model = evil.into();
        fragment.rows[0].who = evil.into();
        fragment.spend.features[0].name = evil.into();
        let mut page = call::Page::sample();
        page.asked = evil.into();
        for html in [html(&fragment), html(&page)] {
            assert!(!html.contains("<script>alert") && !html.contains("\" onmouseover"), "{html}");
            assert!(html.contains("&#60;script&#62;"), "it is shown all the same");
        }
    }
}
