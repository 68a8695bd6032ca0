//! Records conform to the published schema. The checker is hand-written: it
//! knows the few keywords that the schema uses, and fails on all others.

use serde_json::Map;

use super::records::{Server, call, measured};
use super::*;

#[test]
fn records_conform_to_the_published_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/run.schema.json");
    let schema = Checker { root: read_json(Path::new(path)) };
    let folder = Folder::new();
    let run = measured(&folder);
    let server = Server::start();
    let out = |name: &str| folder.path.join(name).to_str().unwrap().to_owned();
    // The first has a calibrated cost, whose n may differ each time, so it
    // isn't merged.
    for (shard, value) in [("long", "1"), ("a", "0"), ("b", "0")] {
        let output = call(&[
            "load",
            "--addr",
            &server.address,
            "--scenario",
            "interference",
            "--at",
            value,
            "--duration",
            "20ms",
            "--out",
            &out(shard),
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let [a, b, merged] = ["a", "b", "merged"].map(out);
    let output = call(&["merge", &a, &b, "--out", &merged]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shard = folder.path.join("long/run.json");
    for path in [run, shard, folder.path.join("merged/run.json")] {
        let mut record = read_json(&path);
        assert_eq!(schema.errors(&record), [""; 0], "{}", path.display());
        // The checker must find a violation.
        record["complete"] = "soon".into();
        record["scenarios"][0]["of"] = Value::Null;
        record["scenarios"][0]["surprise"] = 1.into();
        record.as_object_mut().unwrap().remove("seed");
        assert_eq!(schema.errors(&record).len(), 4, "{}", path.display());
    }
}

/// Checks values against a schema.
struct Checker {
    root: Value,
}

impl Checker {
    fn errors(&self, value: &Value) -> Vec<String> {
        let mut errors = Vec::new();
        self.check(&self.root, value, "", &mut errors);
        errors
    }

    fn check(
        &self,
        schema: &Value,
        value: &Value,
        place: &str,
        errors: &mut Vec<String>,
    ) {
        let keywords = match schema {
            Value::Bool(true) => return,
            Value::Bool(false) => {
                errors.push(format!("{place}: must not be there"));
                return;
            }
            schema => schema.as_object().unwrap(),
        };
        for (keyword, argument) in keywords {
            let is_right = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "format"
                | "default" => true,
                "$ref" => {
                    let pointer = argument.as_str().unwrap();
                    let target = self.root.pointer(&pointer[1..]).unwrap();
                    self.check(target, value, place, errors);
                    true
                }
                "type" => types(argument).contains(&kind(value, argument)),
                "enum" => argument.as_array().unwrap().contains(value),
                "const" => argument == value,
                // Limits apply only to numbers; other types may be allowed.
                "minimum" => {
                    !value.is_number() || value.as_f64() >= argument.as_f64()
                }
                "maximum" => {
                    !value.is_number() || value.as_f64() <= argument.as_f64()
                }
                "minItems" | "maxItems" => true,
                "anyOf" | "oneOf" => {
                    argument.as_array().unwrap().iter().any(|schema| {
                        let mut tried = Vec::new();
                        self.check(schema, value, place, &mut tried);
                        tried.is_empty()
                    })
                }
                "required" => {
                    for key in argument.as_array().unwrap() {
                        let key = key.as_str().unwrap();
                        if value.get(key).is_none() {
                            errors.push(format!("{place}.{key} is missing"));
                        }
                    }
                    true
                }
                "items" | "prefixItems" => {
                    for (index, item) in items(value).iter().enumerate() {
                        let schema = match argument {
                            Value::Array(schemas) => &schemas[index],
                            schema => schema,
                        };
                        let place = format!("{place}[{index}]");
                        self.check(schema, item, &place, errors);
                    }
                    true
                }
                "properties" => {
                    for (key, schema) in argument.as_object().unwrap() {
                        if let Some(value) = value.get(key) {
                            let place = format!("{place}.{key}");
                            self.check(schema, value, &place, errors);
                        }
                    }
                    true
                }
                "additionalProperties" | "patternProperties" => {
                    self.check_others(keywords, value, place, errors);
                    true
                }
                other => panic!("{place}: the check does not know {other}"),
            };
            if !is_right {
                errors.push(format!("{place}: {keyword} {argument}: {value}"));
            }
        }
    }

    /// The schema of keys that aren't listed.
    fn check_others(
        &self,
        keywords: &Map<String, Value>,
        value: &Value,
        place: &str,
        errors: &mut Vec<String>,
    ) {
        let patterns = keywords.get("patternProperties");
        let patterns = patterns.and_then(Value::as_object);
        let schema = patterns
            .and_then(|patterns| patterns.values().next())
            .or(keywords.get("additionalProperties"));
        let named = keywords.get("properties");
        let Some(object) = value.as_object() else { return };
        for (key, value) in object {
            let is_named = named.is_some_and(|n| n.get(key).is_some());
            if let (false, Some(schema)) = (is_named, schema) {
                let place = format!("{place}.{key}");
                self.check(schema, value, &place, errors);
            }
        }
    }
}

fn types(argument: &Value) -> Vec<&str> {
    match argument {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// Returns the type of a value; an integer counts as a number if that is
/// `wanted`.
fn kind(value: &Value, wanted: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Number(number)
            if !number.is_f64() && types(wanted).contains(&"integer") =>
        {
            "integer"
        }
        Value::Number(_) => "number",
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
