//! The report of a load for a terminal.

use std::time::Duration;

use crate::analysis::units;
use crate::model::load_plan::LoadPlan;
use crate::model::load_report::{GroupReport, LoadReport};
use crate::model::times::Times;

/// Returns the report as text.
pub(crate) fn text(plan: &LoadPlan, report: &LoadReport) -> String {
    let window = Duration::from_millis(report.window_ns / 1_000_000);
    let window = humantime::format_duration(window);
    let mut text = format!("{} for {window}\n", plan.address);
    for group in &report.groups {
        text += &group_text(group, report.window_ns);
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

fn group_text(group: &GroupReport, window_ns: u64) -> String {
    let GroupReport { name, n, connected, connections, replies, .. } = group;
    let rate = units::number(group.rate(window_ns));
    let replies = units::number(*replies as f64);
    // With `churn`, a client connects once per request.
    let connected = if connected > connections {
        format!("{connections} at a time, {connected} in all")
    } else {
        format!("{connected} of {connections}")
    };
    let mut text = format!(
        "{name}: n = {n}, {connected} connected\n  \
         replies  {replies}, {rate} per second\n"
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
