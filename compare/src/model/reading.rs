//! Values that can't always be measured.

use serde::{Deserialize, Serialize};

/// A value, or the reason why it is missing. An unknown value is never 0.
#[derive(
    schemars::JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize,
)]
#[schemars(rename = "Known_{T}")]
pub(crate) struct Reading<T> {
    /// The value.
    pub(crate) value: Option<T>,
    /// Why the value is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl<T> Reading<T> {
    /// Returns a missing value with this reason.
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

impl<T> From<Reading<T>> for Result<T, String> {
    fn from(reading: Reading<T>) -> Result<T, String> {
        let Reading { value, reason } = reading;
        value.ok_or_else(|| reason.unwrap_or_default())
    }
}
