//! Durations in files and records, in a readable form such as `400ms`.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// Deserializes a duration.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|error| {
        D::Error::custom(format!(
            "{error}; write a time as \"400ms\", \"2s\" or \"1min\""
        ))
    })
}

/// Serializes a duration.
pub(crate) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = humantime::format_duration(*duration).to_string();
    serializer.serialize_str(&text)
}
