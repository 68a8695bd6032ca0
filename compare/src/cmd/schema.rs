//! `compare schema`: the form of a record, for programs that are not this one.

use schemars::generate::SchemaSettings;

use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::model::record::{Record, SCHEMA_VERSION};

/// Prints the JSON Schema of a record.
pub(crate) fn print() -> anyhow::Result<Outcome> {
    stdout::print(&text()?)?;
    Ok(Outcome::Done)
}

/// The schema follows from the types, and their doc comments describe it.
fn text() -> anyhow::Result<String> {
    // As it is written: what reads a record must expect every key of it.
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Record>();
    schema.insert("title".to_owned(), "A run of compare".into());
    let version = format!("schema version {SCHEMA_VERSION} of a run.json");
    schema.insert("description".to_owned(), version.into());
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_schema_that_is_kept_is_that_of_the_types() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/run.schema.json");
        let kept = fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == text().unwrap(),
            "it is stale: `cargo run -p compare -- schema > \
             bench/run.schema.json`, and think of SCHEMA_VERSION"
        );
    }
}
