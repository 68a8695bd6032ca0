//! Mutations of valid files. Random bytes seldom get past a parser's first
//! line, so the bytes of an input are the steps that change a valid file.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The most steps of one input. With more, hardly any file would be accepted.
const STEPS_MAX: usize = 4;

/// The length of a step: its kind, and two places in the file.
const STEP_BYTES: usize = 5;

/// The length of an input with the most steps: the first byte chooses a file.
pub(crate) const INPUT_BYTES: usize = 1 + STEPS_MAX * STEP_BYTES;

/// Values in place of valid ones. TOML and JSON spell most of them alike.
const ODD: [&str; 30] = [
    "0",
    "1",
    "-1",
    "0.5",
    "-0.0",
    "255",
    "1000000",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e-300",
    "1e308",
    "1e999",
    "nan",
    "inf",
    "true",
    "null",
    "[]",
    "{}",
    r#""""#,
    r#"" ""#,
    r#""0s""#,
    r#""400000000000y""#,
    r#""584542046090y 1ns""#,
    r#""\u0000\u001b[2J\n""#,
    r#""e\u0301\u202e\ufeff""#,
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    r#"{"a":{"a":{"a":{"a":[{"a":{"a":{"a":{"a":[{"a":0}]}}}}]}}}}"#,
];

/// How many of the odd values are numbers; they come first.
const NUMBERS: usize = 17;

/// How the files of a parser are written.
#[derive(Clone, Copy)]
pub(crate) enum Syntax {
    Toml,
    Json,
    /// Words between punctuation, as in flags.
    Words,
}

/// Valid files, parsed to be mutated.
pub(crate) struct Originals {
    syntax: Syntax,
    files: Vec<Value>,
}

impl Originals {
    /// Parses the files.
    pub(crate) fn new<T: AsRef<str>>(
        syntax: Syntax,
        texts: impl IntoIterator<Item = T>,
    ) -> Originals {
        let parse = |text: T| match syntax {
            Syntax::Toml => toml::from_str(text.as_ref()).unwrap(),
            Syntax::Json => serde_json::from_str(text.as_ref()).unwrap(),
            Syntax::Words => {
                let is_mark = |c: char| !c.is_ascii_alphanumeric();
                text.as_ref().split_inclusive(is_mark).collect()
            }
        };
        Originals { syntax, files: texts.into_iter().map(parse).collect() }
    }

    /// Returns two texts: the input as it is, and the file that it makes of a
    /// valid one.
    pub(crate) fn texts(&self, input: &[u8]) -> [String; 2] {
        let (first, steps) = input.split_first().unwrap_or((&0, &[]));
        let mut value =
            self.files[usize::from(*first) % self.files.len()].clone();
        let (steps, _) = steps.as_chunks::<STEP_BYTES>();
        let mut mutation = Mutation::default();
        for step in &steps[..steps.len().min(STEPS_MAX)] {
            mutation.apply(&mut value, *step);
        }
        let text = mutation.finish(self.write(&value));
        [String::from_utf8_lossy(input).into_owned(), text]
    }

    fn write(&self, value: &Value) -> String {
        let json = value.to_string();
        match (self.syntax, value) {
            (Syntax::Json, _) => json,
            // TOML can't express all of JSON.
            (Syntax::Toml, _) => toml::to_string(value).unwrap_or(json),
            (Syntax::Words, Value::Array(words)) => {
                let text = |word: &Value| match word {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                words.iter().map(text).collect()
            }
            (Syntax::Words, _) => json,
        }
    }
}

/// What the steps so far leave to be done in the written text.
#[derive(Default)]
struct Mutation {
    /// Values that JSON can't express; the value has their place.
    literals: Vec<String>,
    edits: Vec<[usize; 3]>,
}

impl Mutation {
    fn apply(&mut self, root: &mut Value, step: [u8; STEP_BYTES]) {
        let [kind, a, b, c, d] = step;
        let [a, b] = [[a, b], [c, d]].map(u16::from_be_bytes).map(usize::from);
        let other = nth(root, &mut (b % count(root, any)), any).cloned();
        let other = other.unwrap_or_default();
        match kind % 8 {
            0 => {
                let literal = odd(at(root, a), b);
                self.replace(at(root, a), literal.to_owned());
            }
            1 => self.replace_all(root, a, b),
            2 => *at(root, a) = other,
            3 => {
                let one = std::mem::replace(at(root, a), other);
                *at(root, b) = one;
            }
            4 => remove(container_at(root, a), b),
            5 => duplicate(container_at(root, a), b),
            6 => match at(root, a).clone() {
                Value::Number(number) => {
                    let number = changed(&number, b);
                    self.replace(at(root, a), number);
                }
                Value::String(mut text) => {
                    text.insert_str(
                        text.floor_char_boundary(b % (text.len() + 1)),
                        ODD[b % ODD.len()],
                    );
                    *at(root, a) = Value::String(text);
                }
                _ => *at(root, a) = Value::Null,
            },
            _ => self.edits.push([usize::from(kind / 8), a, b]),
        }
    }

    fn replace(&mut self, value: &mut Value, literal: String) {
        *value = Value::String(mark(self.literals.len()));
        self.literals.push(literal);
    }

    /// Replaces all values of one key. A single value seldom matters in a file
    /// that has many like it.
    fn replace_all(&mut self, root: &mut Value, key: usize, odd_one: usize) {
        let mut keys = BTreeSet::new();
        for_each_key(root, &mut |key, _| {
            keys.insert(key.to_owned());
        });
        let index = key % keys.len().max(1);
        let Some(chosen) = keys.into_iter().nth(index) else { return };
        let mut literal = None;
        for_each_key(root, &mut |key, value| {
            if key == chosen {
                literal.get_or_insert_with(|| odd(value, odd_one));
                *value = Value::String(mark(self.literals.len()));
            }
        });
        self.literals.push(literal.unwrap_or_default().to_owned());
    }

    /// Puts the literals and the edits into the written text.
    fn finish(self, mut text: String) -> String {
        for (index, literal) in self.literals.iter().enumerate() {
            let mark = mark(index);
            text = text.replace(&format!("\"{mark}\""), literal);
            text = text.replace(&mark, literal.trim_matches('"'));
        }
        for [kind, a, b] in self.edits {
            let start = text.floor_char_boundary(a % (text.len() + 1));
            let end = text.floor_char_boundary(text.len().min(start + b % 64));
            match kind % 4 {
                0 => text.truncate(start),
                1 => text.replace_range(start..end, ""),
                2 => text.insert_str(start, ODD[b % ODD.len()]),
                _ => text.insert(start, char::from(b as u8)),
            }
        }
        text
    }
}

/// Returns an odd value in place of another; three of four are numbers in place
/// of numbers, and others in place of others.
fn odd(value: &Value, choice: usize) -> &'static str {
    let kind = match value {
        _ if choice.is_multiple_of(4) => &ODD[..],
        Value::Number(_) => &ODD[..NUMBERS],
        _ => &ODD[NUMBERS..],
    };
    kind[choice / 4 % kind.len()]
}

fn mark(index: usize) -> String {
    format!("@@{index}@@")
}

fn any(_: &Value) -> bool {
    true
}

fn is_container(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

/// Returns the number of values in a value, itself included, that `is_counted`
/// returns `true` for.
fn count(value: &Value, is_counted: fn(&Value) -> bool) -> usize {
    let inner: usize = match value {
        Value::Array(items) => items.iter().map(|v| count(v, is_counted)).sum(),
        Value::Object(map) => map.values().map(|v| count(v, is_counted)).sum(),
        _ => 0,
    };
    inner + usize::from(is_counted(value))
}

/// Returns the value after `left` others, in the order of the file.
fn nth<'a>(
    value: &'a mut Value,
    left: &mut usize,
    is_counted: fn(&Value) -> bool,
) -> Option<&'a mut Value> {
    if is_counted(value) {
        if *left == 0 {
            return Some(value);
        }
        *left -= 1;
    }
    match value {
        Value::Array(items) => {
            items.iter_mut().find_map(|v| nth(v, left, is_counted))
        }
        Value::Object(map) => {
            map.values_mut().find_map(|v| nth(v, left, is_counted))
        }
        _ => None,
    }
}

/// Calls `visit` with each key of all objects and its value.
fn for_each_key(value: &mut Value, visit: &mut dyn FnMut(&str, &mut Value)) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| for_each_key(item, visit));
        }
        Value::Object(map) => {
            for (key, value) in map {
                for_each_key(value, visit);
                visit(key, value);
            }
        }
        _ => {}
    }
}

fn at(root: &mut Value, place: usize) -> &mut Value {
    let mut left = place % count(root, any);
    nth(root, &mut left, any).expect("the place is less than the count")
}

fn container_at(root: &mut Value, place: usize) -> &mut Value {
    if !is_container(root) {
        *root = Value::Array(vec![root.take()]);
    }
    let mut left = place % count(root, is_container);
    nth(root, &mut left, is_container)
        .expect("the place is less than the count")
}

fn remove(container: &mut Value, place: usize) {
    match container {
        Value::Array(items) if !items.is_empty() => {
            items.remove(place % items.len());
        }
        Value::Object(map) => {
            if let Some(key) = key(map, place) {
                map.remove(&key);
            }
        }
        _ => {}
    }
}

/// Repeats an item of an array, or the value of a key under another one.
fn duplicate(container: &mut Value, place: usize) {
    match container {
        Value::Array(items) if !items.is_empty() => {
            let item = items[place % items.len()].clone();
            items.insert(place / 7 % items.len(), item);
        }
        Value::Object(map) => {
            let Some(from) = key(map, place) else { return };
            let to = key(map, place / 7).filter(|to| *to != from);
            let value = map[&from].clone();
            map.insert(to.unwrap_or_else(|| from + "2"), value);
        }
        _ => {}
    }
}

fn key(map: &Map<String, Value>, place: usize) -> Option<String> {
    let count = map.len().max(1);
    map.keys().nth(place % count).cloned()
}

/// Returns another number that may still be accepted.
fn changed(number: &serde_json::Number, how: usize) -> String {
    let Some(whole) = number.as_i128() else {
        let number = number.as_f64().unwrap_or(0.0);
        return [number * 1e3, number / 1e3, -number, number + 1.0][how % 4]
            .to_string();
    };
    [whole + 1, whole - 1, -whole, whole * 1_000, whole / 2, whole % 10]
        [how % 6]
        .to_string()
}
