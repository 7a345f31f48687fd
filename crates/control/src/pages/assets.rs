//! The console's own files: one style sheet, one script, one icon. Nothing comes from elsewhere.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

pub(crate) async fn css() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_bytes!("../../assets/console.css").as_slice())
}

pub(crate) async fn js() -> impl IntoResponse {
    let js = include_bytes!("../../assets/console.js").as_slice();
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], js)
}

pub(crate) async fn icon() -> impl IntoResponse {
    ([(CONTENT_TYPE, "image/svg+xml")], include_bytes!("../../assets/favicon.svg").as_slice())
}
