//! The advice for a mix of requests: for a terminal, and as a page.

pub(crate) mod html;
mod sentences;
pub(crate) mod text;
