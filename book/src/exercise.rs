//! Renders an exercise: the code that the reader starts from, the command that
//! checks it, and the solution as a diff.

use std::path::Path;

use anyhow::Context;

use crate::code;

/// The file name extensions that a starter can have.
const EXTENSIONS: [&str; 3] = ["rs", "py", "toml"];

/// Renders an exercise in `book/exercises`: `NAME`, or `NAME here` if only a
/// changed starter can pass its check.
pub(crate) fn render(root: &Path, arguments: &str) -> anyhow::Result<String> {
    let (name, is_starter_only) = match arguments.strip_suffix(" here") {
        Some(name) => (name, true),
        None => (arguments, false),
    };
    let folder = format!("book/exercises/{name}");
    let extension = EXTENSIONS
        .into_iter()
        .find(|ext| root.join(format!("{folder}/starter.{ext}")).is_file())
        .with_context(|| format!("{folder} has no starter"))?;
    let starter = format!("{folder}/starter.{extension}");
    let solution = format!("{folder}/solution.{extension}");
    let code = code::block(root, &starter)?;
    let diff = code::diff(root, &format!("{starter} {solution}"))?;
    let alternative = if is_starter_only {
        ""
    } else if extension == "toml" {
        "To check another file instead, use `--with FILE`."
    } else {
        "To check a program of your own, in any language, use `--with \
         'COMMAND'`. Its arguments, such as the port, are appended to the \
         command."
    };
    Ok(format!(
        "Start from `{starter}`. Change it until its check passes:\n\n\
         ```\ncargo run -p check -- {name}\n```\n\n\
         {alternative}\n\n\
         <details><summary>The starter</summary>\n\n{code}\n</details>\n\n\
         <details><summary>A solution, as a diff</summary>\n\n{diff}\n\
         </details>\n"
    ))
}
