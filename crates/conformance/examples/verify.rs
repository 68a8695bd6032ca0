//! Judges a server from the command line, while there is nothing but this
//! crate:
//!
//! ```text
//! cargo run -p conformance --example verify -- inline,large \
//!     target/debug/server-mio --listen '{addr}'
//! ```
//!
//! The first word names what the model is, with commas between: `plain`,
//! `one-client`, `inline`, `pool`, `stall`, `urgent`, `threads`, `large`;
//! `stranger` has none of the ten's flags and no ready line; `talk` speaks the
//! talk's framing.

use std::process::ExitCode;

use conformance::{Family, Framing, Ready, Selection, Subject, run};

/// What can be asked of any server: the rest is about flags and signals.
const STRANGERS_FAMILIES: &[Family] = &[
    Family::Answers,
    Family::BadLines,
    Family::Shapes,
    Family::Ends,
    Family::Talk,
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(model) = words.next() else {
        eprintln!("usage: verify MODEL COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let mut subject = Subject::new(words);
    for word in model.split(',') {
        subject = match word {
            "plain" => subject,
            "one-client" => subject.one_client_at_a_time(),
            "inline" => subject.computes_inline(),
            "pool" => subject.computes_on_a_pool(),
            "stall" => subject.waits_for_its_pool(),
            "urgent" => subject.stops_at_urgent_data(),
            "threads" => subject.thread_per_client(),
            "large" => subject.large_crowds(),
            "stranger" => subject
                .ready(Ready::Port)
                .only_flags([""; 0])
                .families(STRANGERS_FAMILIES),
            "talk" => subject.framing(Framing::Talk),
            _ => {
                eprintln!("no such model: {word}");
                return ExitCode::from(2);
            }
        };
    }
    let selection = Selection::from_environment();
    let report = run(&subject, &selection, |finding| println!("{finding}"));
    println!("{report}");
    if report.conforms() {
        return ExitCode::SUCCESS;
    }
    println!("\n{}", report.failures());
    ExitCode::FAILURE
}
