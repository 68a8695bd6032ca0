//! What several load machines measured of one server in one window, as if one
//! machine had: counts add up, and histograms merge without a loss.

use crate::model::load_report::{
    Bottleneck, GroupReport, LoadReport, MachineTimes,
};
use crate::model::reading::Reading;
use crate::model::record::Round;

impl Round {
    /// Adds what another machine measured in the same window.
    ///
    /// # Errors
    ///
    /// When it asked for something else.
    pub(crate) fn add(&mut self, other: &Round) -> Result<(), String> {
        self.report.add(&other.report)?;
        self.bottleneck = together(self.bottleneck, other.bottleneck);
        Ok(())
    }
}

impl LoadReport {
    fn add(&mut self, other: &LoadReport) -> Result<(), String> {
        // They began and ended within a moment; by the longest, no rate comes
        // out higher than it was.
        self.window_ns = self.window_ns.max(other.window_ns);
        self.generator_busiest_ns =
            Some(self.busiest_ns().max(other.busiest_ns()));
        self.generator_cpu_ns += other.generator_cpu_ns;
        self.generator_threads += other.generator_threads;
        // The server is one and the same: what is known of it is known.
        let of_server = [
            (&mut self.server_cpu_ns, &other.server_cpu_ns),
            (&mut self.server_rss_bytes, &other.server_rss_bytes),
            (&mut self.server_rss_peak_bytes, &other.server_rss_peak_bytes),
            (&mut self.server_threads, &other.server_threads),
            (
                &mut self.server_switches_voluntary,
                &other.server_switches_voluntary,
            ),
            (
                &mut self.server_switches_involuntary,
                &other.server_switches_involuntary,
            ),
        ];
        for (mine, other) in of_server {
            if mine.value.is_none() {
                mine.clone_from(other);
            }
        }
        self.machine = both(&self.machine, &other.machine);
        let names = |report: &LoadReport| -> Vec<String> {
            report.groups.iter().map(|group| group.name.clone()).collect()
        };
        if names(self) != names(other) {
            return Err("their groups of clients differ".to_owned());
        }
        let groups = self.groups.iter_mut().zip(&other.groups);
        for (group, other) in groups {
            group.add(other)?;
        }
        Ok(())
    }
}

impl GroupReport {
    fn add(&mut self, other: &GroupReport) -> Result<(), String> {
        if self.n != other.n {
            return Err(format!(
                "group `{}` asked for n = {} on one machine and n = {} on \
                 another: a cost is calibrated where the load is; give the \
                 group an n",
                self.name, self.n, other.n
            ));
        }
        self.connections += other.connections;
        self.connected += other.connected;
        self.replies += other.replies;
        self.replies_in_all += other.replies_in_all;
        self.starved += other.starved;
        self.service_ns.add(&other.service_ns);
        match (&mut self.open, &other.open) {
            (Some(open), Some(other)) => {
                open.response_ns.add(&other.response_ns);
                open.lag_ns.add(&other.lag_ns);
                open.unanswered += other.unanswered;
            }
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => {
                return Err(format!(
                    "group `{}` is an open loop on one machine only",
                    self.name
                ));
            }
        }
        self.faults.add(&other.faults);
        Ok(())
    }
}

/// Who held up a load of two machines: one at its limit is enough to bound
/// the rate.
fn together(one: Bottleneck, other: Bottleneck) -> Bottleneck {
    match (one, other) {
        (Bottleneck::Generator, _) | (_, Bottleneck::Generator) => {
            Bottleneck::Generator
        }
        (Bottleneck::Unknown, other) => other,
        (one, _) => one,
    }
}

fn both(
    one: &Reading<MachineTimes>,
    other: &Reading<MachineTimes>,
) -> Reading<MachineTimes> {
    match (one.value, other.value) {
        (Some(one), Some(other)) => Reading::from(Ok(MachineTimes {
            busy_ns: one.busy_ns + other.busy_ns,
            stolen_ns: one.stolen_ns + other.stolen_ns,
            all_ns: one.all_ns + other.all_ns,
        })),
        (None, _) => one.clone(),
        (_, None) => other.clone(),
    }
}
