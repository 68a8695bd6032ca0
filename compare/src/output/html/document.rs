//! The HTML document around the body of a page: style sheet, script, metadata.

use ::charts::escaped;

use crate::model::record::Record;

const STYLE: &str = include_str!("page.css");

const SCRIPT: &str = include_str!("page.js");

/// Returns the warning that a run was interrupted, or nothing if it wasn't.
pub(crate) fn incomplete(record: &Record) -> &'static str {
    if record.complete {
        return "";
    }
    "<p class=\"warning\"><b>Incomplete.</b> The run was interrupted. The \
     figures are from the rounds before that.</p>\n"
}

/// Returns a complete HTML document that needs no other file.
pub(crate) fn document(title: &str, body: &str) -> String {
    let title = escaped(title);
    // The policy forbids all requests, so a page that needs the network fails
    // visibly.
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n\
         <meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"\
         default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src data:\">\n\
         <meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n{body}<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}
