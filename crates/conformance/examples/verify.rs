//! Runs the suite against a server from the command line, with nothing but
//! this crate:
//!
//! ```text
//! cargo run -p conformance --example verify -- inline,large \
//!     target/debug/server-mio --listen '{addr}'
//! ```
//!
//! The first argument describes the model by words with commas between them:
//! `plain`, `one-client`, `inline`, `pool`, `stall`, `urgent`, `threads`,
//! `large`. `stranger` is a server with neither a ready line nor any of this
//! project's flags. `talk` is a server with the talk's framing.

use std::process::ExitCode;

use conformance::{Family, Framing, Ready, Selection, Subject, run};

/// The families that apply to any server; the others need flags or signals.
const FAMILIES_OF_ANY_SERVER: &[Family] = &[
    Family::Answers,
    Family::BadLines,
    Family::Shapes,
    Family::Ends,
    Family::Talk,
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(model) = arguments.next() else {
        eprintln!("usage: verify MODEL COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let mut subject = Subject::new(arguments);
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
                .families(FAMILIES_OF_ANY_SERVER),
            "talk" => subject.framing(Framing::Talk),
            _ => {
                eprintln!("unknown model: {word}; see the top of verify.rs");
                return ExitCode::from(2);
            }
        };
    }
    let selection = Selection::from_environment();
    let report = run(&subject, &selection, |case| println!("{case}"));
    println!("{report}");
    if report.conforms() {
        return ExitCode::SUCCESS;
    }
    println!("\n{}", report.failures());
    ExitCode::FAILURE
}
