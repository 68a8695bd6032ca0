//! `compare schema`: prints the JSON Schema of a record, for other programs.

use schemars::generate::SchemaSettings;

use crate::base::exit::Outcome;
use crate::base::stdout;
use crate::model::record::{Record, SCHEMA_VERSION};

/// Prints the JSON Schema of a record.
pub(crate) fn print() -> anyhow::Result<Outcome> {
    stdout::print(&text()?)?;
    Ok(Outcome::Done)
}

/// Generates the schema from the types and their doc comments.
fn text() -> anyhow::Result<String> {
    // The schema of what is written: a reader must expect every key.
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
    fn the_schema_in_bench_matches_the_types() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/run.schema.json");
        let kept = fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == text().unwrap(),
            "bench/run.schema.json is stale: run `cargo run -p compare -- \
             schema > bench/run.schema.json`, and consider SCHEMA_VERSION"
        );
    }
}
