//! Adding up the rounds that several load machines measured of one server in
//! one window: counts are added, and histograms are merged without loss.

use crate::model::load_report::{
    Bottleneck, GroupReport, LoadReport, MachineTimes,
};
use crate::model::reading::Reading;
use crate::model::record::Round;

impl Round {
    /// Adds the round that another machine measured in the same window.
    ///
    /// # Errors
    ///
    /// Returns a description of the first difference if the loads differ in
    /// more than connections and rates.
    pub(crate) fn add(&mut self, other: &Round) -> Result<(), String> {
        self.report.add(&other.report)?;
        self.bottleneck = together(self.bottleneck, other.bottleneck);
        Ok(())
    }
}

impl LoadReport {
    fn add(&mut self, other: &LoadReport) -> Result<(), String> {
        // The windows begin and end at almost the same time. With the longest
        // one, no rate is overestimated.
        self.window_ns = self.window_ns.max(other.window_ns);
        self.generator_busiest_ns =
            Some(self.busiest_ns().max(other.busiest_ns()));
        self.generator_cpu_ns += other.generator_cpu_ns;
        self.generator_threads += other.generator_threads;
        // Both loaded the same server, so what one of them knows of it is
        // enough.
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
        if self.counts.is_none() {
            self.counts.clone_from(&other.counts);
        }
        self.machine = both(&self.machine, &other.machine);
        let names = |report: &LoadReport| -> Vec<String> {
            report.groups.iter().map(|group| group.name.clone()).collect()
        };
        if names(self) != names(other) {
            return Err("their client groups differ".to_owned());
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
                "group `{}` requested n = {} on one machine and n = {} on \
                 another: a cost is calibrated on each load machine; specify \
                 an n for the group instead",
                self.name, self.n, other.n
            ));
        }
        self.connections += other.connections;
        self.connected += other.connected;
        self.replies += other.replies;
        self.replies_in_all += other.replies_in_all;
        self.starved += other.starved;
        self.unfinished += other.unfinished;
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

/// Returns the bottleneck of two loads together. If one load generator was at
/// its limit, the sum of the rates is a lower bound.
fn together(one: Bottleneck, other: Bottleneck) -> Bottleneck {
    match (one, other) {
        (Bottleneck::Generator, _) | (_, Bottleneck::Generator) => {
            Bottleneck::Generator
        }
        (Bottleneck::Unknown, other) => other,
        (one @ (Bottleneck::Server | Bottleneck::Neither), _) => one,
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
            throttled_ns: one
                .throttled_ns
                .zip(other.throttled_ns)
                .map(|(a, b)| a + b),
            own_ns: one.own_ns.zip(other.own_ns).map(|(a, b)| a + b),
        })),
        (None, _) => one.clone(),
        (_, None) => other.clone(),
    }
}
