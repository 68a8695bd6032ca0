//! Figures that can't always be had.

use serde::{Deserialize, Serialize};

/// A figure, or the reason why there is none. Never 0 for "don't know".
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize,
)]
#[schemars(rename = "Known_{T}")]
pub(crate) struct Reading<T> {
    /// The figure.
    pub(crate) value: Option<T>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl<T> Reading<T> {
    /// No figure, for this reason.
    pub(crate) fn missing(reason: impl Into<String>) -> Reading<T> {
        Reading { value: None, reason: Some(reason.into()) }
    }
}

impl<T> From<Result<T, String>> for Reading<T> {
    fn from(result: Result<T, String>) -> Reading<T> {
        match result {
            Ok(value) => Reading { value: Some(value), reason: None },
            Err(reason) => Reading::missing(reason),
        }
    }
}
