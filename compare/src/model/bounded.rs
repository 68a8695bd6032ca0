//! Whole numbers of a file that can be added up without overflow.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The largest number: two years in nanoseconds. Sums of 256 such numbers can
/// be represented.
const NUMBER_MAX: u64 = 1 << 56;

/// A value of any form whose whole numbers are at most [`NUMBER_MAX`]. Only
/// this is checked; nothing is kept of the value.
pub(crate) struct Bounded;

impl<'de> Deserialize<'de> for Bounded {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bounded, D::Error> {
        deserializer.deserialize_any(Bounded)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Bounded;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Bounded, E> {
        if number > NUMBER_MAX {
            return Err(E::custom(format!(
                "{number} is too large; a number can be at most {NUMBER_MAX}"
            )));
        }
        Ok(Bounded)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Bounded, E> {
        Ok(Bounded)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Bounded, E> {
        Ok(Bounded)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Bounded, E> {
        Ok(Bounded)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Bounded, E> {
        Ok(Bounded)
    }

    fn visit_unit<E: Error>(self) -> Result<Bounded, E> {
        Ok(Bounded)
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut items: A,
    ) -> Result<Bounded, A::Error> {
        while items.next_element::<Bounded>()?.is_some() {}
        Ok(Bounded)
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut entries: A,
    ) -> Result<Bounded, A::Error> {
        while entries.next_entry::<Bounded, Bounded>()?.is_some() {}
        Ok(Bounded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_too_large_is_found_at_any_depth() {
        let check =
            |text: &str| serde_json::from_str::<Bounded>(text).map(|_| ());
        let good = r#"{"a": [72057594037927936, -1, 1e300, "x", null, true]}"#;
        assert!(check(good).is_ok());
        let error = check(r#"{"a": [{"b": 72057594037927937}]}"#).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("72057594037927937 is too"), "{text}");
        assert!(text.ends_with("at line 1 column 30"), "{text}");
        let error = check(&"[".repeat(200_000)).unwrap_err();
        assert!(error.to_string().contains("recursion limit"), "{error}");
    }
}
