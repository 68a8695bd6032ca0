//! Contestants that have to be made first, and say what they are.

use super::*;

#[test]
fn a_contestant_is_made_by_its_own_command_and_tells_its_version() {
    let folder = Folder::new();
    let made = folder.path.join("made");
    let text = contestant("good", "none")
        + &format!(
            "prepare = [\"cp\", \"/dev/null\", \"{}\"]\n\
             version = [\"echo\", \"version 7\"]\n",
            made.display()
        );
    let output = compare(&folder.file("c.toml", &text), &SHORT);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(made.exists());
    let record = read_json(&folder.path.join("out/run.json"));
    assert_eq!(record["entrants"][0]["version"]["value"], "version 7");
}

#[test]
fn a_contestant_that_cannot_be_made_is_named_with_the_reason() {
    let folder = Folder::new();
    let text = contestant("good", "none")
        + "prepare = [\"sh\", \"-c\", \"echo no yeast >&2; exit 7\"]\n";
    let output = compare(&folder.file("c.toml", &text), &SHORT);
    assert_eq!(output.status.code(), Some(1));
    for word in ["good", "no yeast", "7"] {
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
    }
}
