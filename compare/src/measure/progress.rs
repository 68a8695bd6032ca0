//! Progress on stderr.

use std::io::{self, IsTerminal};
use std::ops::RangeInclusive;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::base::stderr::note;
use crate::measure::duration::in_words;

/// A line of progress with an estimate of the time left. It is drawn only if
/// stderr is a terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// Returns a line of progress, which is hidden if `quiet`.
    pub(crate) fn new(quiet: bool) -> Progress {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("{msg}").expect("valid"));
        Progress { bar, quiet }
    }

    /// Shows the current activity.
    pub(crate) fn show(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.tick();
    }

    /// Prints an activity that takes long, even if stderr is not a terminal.
    pub(crate) fn announce(&self, what: &str) {
        if !self.quiet {
            self.note(what);
        }
    }

    /// Shows the crate that was built.
    pub(crate) fn building(&self, name: &str) {
        self.show(&format!("building: {name}"));
    }

    /// Starts to count measurements.
    pub(crate) fn measure(&self, count: usize) {
        let template = "{bar:24} {pos}/{len}, {eta} left: {msg}";
        let style = ProgressStyle::with_template(template).expect("valid");
        self.bar.set_length(count as u64);
        self.bar.reset();
        self.bar.set_style(style.progress_chars("=> "));
    }

    /// Counts a measurement that is done, or no longer needed.
    pub(crate) fn done(&self) {
        self.bar.inc(1);
    }

    /// Prints that one of these rounds is done, if stderr is not a terminal; there, the
    /// line of progress shows it.
    pub(crate) fn round_done(
        &self,
        round: u64,
        rounds: RangeInclusive<u64>,
        elapsed: Duration,
    ) {
        if !io::stderr().is_terminal() {
            self.announce(&round_line(round, rounds, elapsed));
        }
    }

    /// Prints a line above the progress.
    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| note!("{text}"));
    }

    /// Removes the line of progress.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Returns the line about one of these rounds that is done, with the time that
/// the others will take.
fn round_line(
    round: u64,
    rounds: RangeInclusive<u64>,
    elapsed: Duration,
) -> String {
    let (first, last) = rounds.into_inner();
    let [done, left] = [round + 1 - first, last - round];
    let seconds = elapsed.as_secs_f64() / done as f64 * left as f64;
    let left = Duration::from_secs_f64(seconds);
    let done = format!("round {round} of {last} after {}", in_words(elapsed));
    if left.is_zero() {
        done
    } else {
        format!("{done}, about {} left", in_words(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_a_round_states_how_long_the_others_take() {
        let elapsed = Duration::from_secs(20);
        let cases = [
            (2, 1..=8, "round 2 of 8 after 20 s, about 1 min 0 s left"),
            (8, 1..=8, "round 8 of 8 after 20 s"),
            // Further rounds.
            (9, 9..=10, "round 9 of 10 after 20 s, about 20 s left"),
        ];
        for (round, rounds, expected) in cases {
            assert_eq!(round_line(round, rounds, elapsed), expected);
        }
    }
}
