//! Where pictures, sounds, films and files lie.

use bedplate_core::conversation::{Source, Text};

/// What a URL says: what it is of, and where it lies. Nothing is fetched.
pub(super) struct Found<'a> {
    /// Converse's name of the format; empty where it cannot be told.
    pub(super) format: Text<'a>,
    pub(super) source: Source<'a>,
}

/// # Errors
/// For data URLs that are not base64.
pub(super) fn url(url: Text<'_>) -> Result<Found<'_>, &'static str> {
    let inner = url.inner();
    // a head is short: nothing is searched that may be long
    let head = &inner.as_bytes()[..inner.len().min(5)];
    if head.eq_ignore_ascii_case(b"data:") {
        let Some((head, data)) = inner.split_once(',') else {
            return Err("a data URL has a comma between its type and its data");
        };
        let head = Text::of_inner(&[head.get(5..).unwrap_or_default()]);
        let head = head.decode();
        let Some(mime) = head.strip_suffix(";base64") else { return Err("a data URL must be of base64") };
        let mime = mime.split(';').next().unwrap_or_default();
        return Ok(Found { format: format(mime), source: Source::Bytes(Text::of_inner(&[data])) });
    }
    let name = url.decode();
    let format = extension(&name);
    let in_s3 = name.starts_with("s3://");
    drop(name);
    let source = match in_s3 {
        true => Source::S3 { uri: url, owner: None },
        false => Source::Url(url),
    };
    Ok(Found { format, source })
}

/// Converse's name of what a MIME type names.
pub(super) fn format(mime: &str) -> Text<'static> {
    Text::of(match mime.to_ascii_lowercase().as_str() {
        "image/jpg" => "jpeg",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "text/plain" => "txt",
        "text/markdown" => "md",
        "audio/mpeg" => "mp3",
        "audio/x-wav" => "wav",
        "video/quicktime" => "mov",
        "video/x-matroska" => "mkv",
        "application/octet-stream" => "",
        other => other.rsplit_once('/').map_or(other, |(_, kind)| kind),
    })
}

/// Whether it is one of Converse's names of formats of documents.
pub(super) fn is_document(format: &str) -> bool {
    matches!(format, "pdf" | "csv" | "doc" | "docx" | "xls" | "xlsx" | "html" | "txt" | "md")
}

/// The format that the end of a name tells of.
pub(super) fn extension(name: &str) -> Text<'static> {
    let path = name.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let known = file.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
    Text::of(match known.as_deref().unwrap_or_default() {
        "jpg" => "jpeg",
        "htm" => "html",
        known if known.len() <= 5 && known.bytes().all(|b| b.is_ascii_alphanumeric()) => known,
        _ => "",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_what_they_are_of() {
        let found = url(Text::from_raw(r#""data:image\/jpg;name=a;base64,AA\/A""#)).ok().unwrap();
        assert_eq!(found.format.decode(), "jpeg");
        assert_eq!(found.source, Source::Bytes(Text::from_raw(r#""AA\/A""#)));
        let found = url(Text::from_raw(r#""s3://b/a.PNG""#)).ok().unwrap();
        assert_eq!((found.format.decode(), matches!(found.source, Source::S3 { .. })), ("png".into(), true));
        let found = url(Text::from_raw(r#""https://a.example/x.jpg?y=1.gif""#)).ok().unwrap();
        assert_eq!((found.format.decode(), matches!(found.source, Source::Url(_))), ("jpeg".into(), true));
        for bad in [r#""data:image/png,x""#, r#""data:image/png;base64""#] {
            assert!(url(Text::from_raw(bad)).is_err());
        }
    }
}
