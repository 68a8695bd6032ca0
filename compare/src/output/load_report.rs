//! The report of a load for a terminal.

use std::time::Duration;

use crate::analysis::units;
use crate::model::load_plan::LoadPlan;
use crate::model::load_report::{GroupReport, LoadReport};
use crate::model::times::Times;

/// The shortest window whose rates and shares mean anything: the load ends at
/// once if all clients fail.
const WINDOW_MIN: Duration = Duration::from_millis(1);

/// Returns the report as text.
pub(crate) fn text(plan: &LoadPlan, report: &LoadReport) -> String {
    let window = Duration::from_nanos(report.window_ns);
    if window < WINDOW_MIN {
        let least = humantime::format_duration(WINDOW_MIN);
        let mut text = format!("{} for less than {least}\n", plan.address);
        for group in &report.groups {
            text += &group_text(group, None);
        }
        return text;
    }
    let window = Duration::from_millis(report.window_ns / 1_000_000);
    let window = humantime::format_duration(window);
    let mut text = format!("{} for {window}\n", plan.address);
    for group in &report.groups {
        text += &group_text(group, Some(report.window_ns));
    }
    let percent = report.generator_share() * 100.0;
    let threads = match report.generator_threads {
        1 => "its core".to_owned(),
        threads => format!("the busiest of its {threads} cores"),
    };
    text += &format!("generator: {percent:.0} % of {threads}\n");
    if let Some(cpu_ns) = report.server_cpu_ns.value {
        let percent = cpu_ns as f64 / report.window_ns as f64 * 100.0;
        text += &format!("server: {percent:.0} % of a core");
        if report.replies() > 0 {
            let cost_us = cpu_ns as f64 / 1e3 / report.replies() as f64;
            text += &format!(", {cost_us:.2} µs per reply");
        }
        text += "\n";
    }
    text
}

/// Describes a client group, with its rate if the window is known.
fn group_text(group: &GroupReport, window_ns: Option<u64>) -> String {
    let GroupReport { name, n, connected, connections, replies, .. } = group;
    let rate = window_ns.map(|ns| units::number(group.rate(ns)));
    let rate = rate.map(|rate| format!(", {rate} per second"));
    let rate = rate.unwrap_or_default();
    let replies = count(*replies);
    // With `churn`, a client connects once per request.
    let connected = if connected > connections {
        format!("{connections} at a time, {connected} in all")
    } else {
        format!("{connected} of {connections}")
    };
    let mut text = format!(
        "{name}: n = {n}, {connected} connected\n  \
         replies  {replies}{rate}\n"
    );
    text += &times_text("service", &group.service_ns);
    if let Some(open) = &group.open {
        text += &times_text("response", &open.response_ns);
        text += &times_text("schedule lag", &open.lag_ns);
        if open.unanswered > 0 {
            text += &format!("  not answered: {}\n", open.unanswered);
        }
    }
    if let Some(faults) = group.faults.of_server() {
        text += &format!("  faults   {faults}\n");
    }
    for (limit, count) in &group.faults.own_limits {
        text += &format!("  limits   {limit} ({count} times)\n");
    }
    text
}

fn times_text(what: &str, times: &Times) -> String {
    let quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];
    let quantiles = quantiles.iter().filter_map(|(label, quantile)| {
        let time_us = times.at_quantile_ns(*quantile)? as f64 / 1e3;
        Some(format!("{label} {} µs", units::number(time_us)))
    });
    let quantiles: Vec<String> = quantiles.collect();
    if quantiles.is_empty() {
        String::new()
    } else {
        format!("  {what}: {}\n", quantiles.join(", "))
    }
}

/// Formats a count, which has no decimals.
fn count(count: u64) -> String {
    match count {
        0..100 => count.to_string(),
        _ => units::number(count as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::contestant::Framing;

    fn plan() -> LoadPlan {
        LoadPlan {
            address: ([127, 0, 0, 1], 1).into(),
            groups: Vec::new(),
            framing: Framing::Line,
            warm_up: Duration::ZERO,
            window: Duration::from_secs(1),
            reply_timeout: Duration::from_secs(1),
            server: None,
            apart_server: None,
            processors: Vec::new(),
            seed: 0,
        }
    }

    #[test]
    fn replies_are_counted_without_decimals() {
        let mut group = GroupReport::made_up("clients");
        for (replies, expected) in [(2, "2, 2.00 per"), (2_000, "2,000, ")] {
            group.replies = replies;
            let report = LoadReport::made_up(vec![group.clone()]);
            let text = text(&plan(), &report);
            assert!(text.contains(&format!("replies  {expected}")), "{text}");
        }
    }

    #[test]
    fn a_load_that_ends_at_once_has_neither_rates_nor_shares() {
        let mut group = GroupReport::made_up("clients");
        group.replies = 0;
        group.connected = 0;
        let mut report = LoadReport::made_up(vec![group]);
        report.window_ns = 20_000;
        report.generator_cpu_ns = 80_000;
        let expected = "127.0.0.1:1 for less than 1ms\n\
                        clients: n = 1, 0 of 1 connected\n  replies  0\n";
        assert_eq!(text(&plan(), &report), expected);
    }
}
