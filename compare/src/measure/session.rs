//! A session: one contestant's servers and load generator in one round. They
//! live side by side with those of the other contestants, and are measured in
//! turns.

use std::io::{self, PipeWriter, Write};

use launch::{Process, Server};

use crate::base::interrupt::Interrupt;
use crate::load::counters;
use crate::load::engine::CONNECTED;
use crate::measure::cell::{Cell, judge};
use crate::measure::failure::Failure;
use crate::model::load_report::{Counts, LoadReport, MachineTimes};
use crate::model::reading::Reading;
use crate::model::record::{REPLIES_BEYOND, Round, Turn};
use crate::model::scenarios::Scenario;

/// A contestant's processes in one round, and what was measured so far.
pub(crate) struct Session<'a> {
    /// The cell that is measured.
    pub(crate) cell: Cell<'a>,
    // Dropped first: without its clients, a server has nothing more to log.
    load: Process,
    commands: PipeWriter,
    server: Server,
    _apart: Option<Server>,
    /// The position of the contestant in the order in which servers are
    /// started, from 1.
    place: usize,
    turns: Vec<Turn>,
    /// The sum of the reports of all turns.
    report: Option<LoadReport>,
}

impl<'a> Session<'a> {
    /// Starts the servers and the load generator, which begins to connect the
    /// clients.
    ///
    /// # Errors
    ///
    /// Returns an error if a process can't be started.
    pub(crate) fn open(
        cell: Cell<'a>,
        place: usize,
        interrupt: &Interrupt,
    ) -> Result<Session<'a>, Failure> {
        let server = cell.start(interrupt)?;
        let has_apart = cell.groups.iter().any(|group| group.is_apart);
        let apart = has_apart.then(|| cell.start(interrupt)).transpose()?;
        let (input, commands) = io::pipe().map_err(|error| {
            Failure::Instrument(format!("cannot create a pipe: {error}"))
        })?;
        let load = cell
            .load_in_turns(&server, apart.as_ref(), input)
            .map_err(|error| Failure::Instrument(format!("{error:#}")))?;
        Ok(Session {
            cell,
            load,
            commands,
            server,
            _apart: apart,
            place,
            turns: Vec::new(),
            report: None,
        })
    }

    /// Waits until the load generator has connected the clients.
    ///
    /// # Errors
    ///
    /// Returns an error if it ends, hangs, or is interrupted before that.
    pub(crate) fn connected(
        &mut self,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let line = self.cell.next_line(&mut self.load, interrupt)?;
        if line == CONNECTED {
            return Ok(());
        }
        let text = format!("the load generator did not connect: {line}");
        Err(Failure::Instrument(text))
    }

    /// Runs one turn, the one in the given cycle, at the given place in it.
    /// That of cycle 0 is shorter, and not kept.
    ///
    /// # Errors
    ///
    /// Returns an error if the server has a fault, if the load generator fails,
    /// or if the turn is interrupted.
    pub(crate) fn turn(
        &mut self,
        cycle: u64,
        place: usize,
        scenario: &Scenario,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let command = if cycle == 0 { "first" } else { "turn" };
        let report = self.command(command, interrupt)?;
        let fault = report.visible_fault();
        let report = judge(&mut self.server, report, fault)?;
        if cycle == 0 {
            return Ok(());
        }
        self.turns.push(kept(cycle, place, scenario, &report));
        match &mut self.report {
            Some(sum) => sum.append(&report),
            None => self.report = Some(report),
        }
        Ok(())
    }

    /// Runs a turn in which the processors count the server's instructions and
    /// cache misses. Its times are not kept, as the counters make each context
    /// switch slower.
    ///
    /// # Errors
    ///
    /// The same as for [`Session::turn`].
    pub(crate) fn count(
        &mut self,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let counts = match counters::available() {
            Err(reason) => Some(Counts::missing(&reason)),
            Ok(()) => {
                let report = self.command("count", interrupt)?;
                let fault = report.visible_fault();
                judge(&mut self.server, report, fault)?.into_counts()
            }
        };
        if let Some(sum) = &mut self.report {
            sum.counts = counts;
        }
        Ok(())
    }

    /// Lets the clients leave, and returns the measurements of the round, with
    /// the times of the machine during all of its turns.
    ///
    /// # Errors
    ///
    /// The same as for [`Session::turn`].
    pub(crate) fn end(
        mut self,
        round: u64,
        machine: Reading<MachineTimes>,
        interrupt: &Interrupt,
    ) -> Result<Round, Failure> {
        let last = self.command("end", interrupt)?;
        let Some(mut report) = self.report.take() else {
            let text = "the scenario has no turns".to_owned();
            return Err(Failure::Instrument(text));
        };
        report.append_faults(&last);
        report.machine = machine;
        let fault = report.server_fault();
        let report = judge(&mut self.server, report, fault)?;
        let placement = self.cell.placement.clone();
        Ok(Round {
            round,
            place: self.place,
            bottleneck: report.bottleneck(placement.server.len()),
            placement,
            capacity: Reading::missing(
                "no rate of this scenario is a share of the capacity",
            ),
            report,
            turns: self.turns,
        })
    }

    /// Sends a command to the load generator, and waits for its report.
    fn command(
        &mut self,
        command: &str,
        interrupt: &Interrupt,
    ) -> Result<LoadReport, Failure> {
        // If the load generator has ended, the wait for its report finds out
        // why.
        let _ = writeln!(self.commands, "{command}");
        self.cell.report(&mut self.load, interrupt)
    }
}

/// Returns what the record keeps of a turn.
fn kept(
    cycle: u64,
    place: usize,
    scenario: &Scenario,
    report: &LoadReport,
) -> Turn {
    let measured = report.group(&scenario.measured_group);
    let times = measured.map(|group| &group.service_ns);
    let at = |quantile: f64| times.and_then(|t| t.at_quantile_ns(quantile));
    let beyond = times.map_or(0.0, |times| times.count() as f64 * 0.01);
    Turn {
        cycle,
        place,
        window_ns: report.window_ns,
        replies: report.groups.iter().map(|group| group.replies).collect(),
        server_cpu_ns: report.server_cpu_ns.value,
        generator_busiest_ns: report.busiest_ns(),
        p50_ns: at(0.5),
        p99_ns: at(0.99).filter(|_| beyond >= REPLIES_BEYOND),
    }
}
