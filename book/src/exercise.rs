//! An exercise: where the reader starts, how an answer is checked, and what a
//! solution changes.

use std::path::Path;

use anyhow::Context;

use crate::code;

/// What a starter can be written in.
const ENDINGS: [&str; 3] = ["rs", "py", "toml"];

/// The block of an exercise in `book/exercises`: `NAME`, or `NAME here` if its
/// answer must be the starter, changed.
pub(crate) fn of(root: &Path, arguments: &str) -> anyhow::Result<String> {
    let (name, is_here) = match arguments.strip_suffix(" here") {
        Some(name) => (name, true),
        None => (arguments, false),
    };
    let folder = format!("book/exercises/{name}");
    let ending = ENDINGS
        .into_iter()
        .find(|end| root.join(format!("{folder}/starter.{end}")).is_file())
        .with_context(|| format!("{folder} has no starter"))?;
    let starter = format!("{folder}/starter.{ending}");
    let solution = format!("{folder}/solution.{ending}");
    let code = code::block(root, &starter)?;
    let diff = code::diff(root, &format!("{starter} {solution}"))?;
    let elsewhere = match (ending, is_here) {
        (_, true) => "",
        ("toml", _) => "With `--with FILE`, it checks a file of yours instead.",
        _ => {
            "It may be in another language, too: with `--with 'COMMAND'`, that \
             command is checked. What it must be told, such as a port, is put \
             behind it."
        }
    };
    Ok(format!(
        "You start from `{starter}`. Change it until its check passes:\n\n\
         ```\ncargo run -p check -- {name}\n```\n\n\
         {elsewhere}\n\n\
         <details><summary>Where you start</summary>\n\n{code}\n</details>\n\n\
         <details><summary>A solution, as a difference</summary>\n\n{diff}\n\
         </details>\n"
    ))
}
