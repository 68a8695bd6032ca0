//! What goes on, on stderr, for somebody who waits.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line of progress with an estimate of the time left. Nothing is drawn
/// where stderr is no terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// A line of progress, unless `quiet`.
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

    /// Says what goes on.
    pub(crate) fn show(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.tick();
    }

    /// Says what takes long from here, also where stderr is no terminal.
    pub(crate) fn announce(&self, what: &str) {
        if !self.quiet {
            self.note(what);
        }
    }

    /// Says which crate was built.
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

    /// Counts one measurement as done or not needed any more.
    pub(crate) fn done(&self) {
        self.bar.inc(1);
    }

    /// Prints a line above the progress.
    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
