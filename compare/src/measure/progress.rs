//! Progress on stderr.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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

    /// Prints a line above the progress.
    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Removes the line of progress.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
