//! The verdicts on claims as text, HTML, Markdown and JSON.

pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod markdown;
mod notes;
mod outcomes;
pub(crate) mod text;
