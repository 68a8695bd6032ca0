//! The server under test: its command line, its flags, and what its model can
//! and can't do.

use std::time::Duration;

use launch::{Launch, Ready};

use crate::Family;
use crate::case::{Ability, Case, Need};

/// A server to test: its command line, and what its model can and can't do.
///
/// By default, the server is assumed to have every flag of this project's
/// servers, to serve many clients at a time, and to answer short requests
/// while long ones run.
#[derive(Clone, Debug)]
pub struct Subject {
    command: Vec<String>,
    ready: Ready,
    families: Vec<Family>,
    framing: Framing,
    /// `None` means every flag of this project's servers.
    flags: Option<Vec<String>>,
    service_manager: bool,
    max_n: u64,
    patience: Duration,
    model: ModelTraits,
}

/// How a server separates requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// As `--framing` specifies; by lines, if it isn't given.
    #[default]
    Flag,
    /// Only by lines.
    Line,
    /// Only as in the talk: each read is a request.
    Talk,
}

#[derive(Clone, Copy, Debug, Default)]
struct ModelTraits {
    one_client_at_a_time: bool,
    computes_inline: bool,
    waits_for_its_pool: bool,
    stops_at_urgent_data: bool,
    has_pool: bool,
    has_worker_processes: bool,
    thread_per_client: bool,
    large_crowds: bool,
}

/// Long enough for a job of one or two seconds on a busy machine.
const PATIENCE_DEFAULT: Duration = Duration::from_secs(20);

/// The default of the servers' `--max-n`.
const MAX_N_DEFAULT: u64 = 45;

impl Subject {
    /// Returns a subject that `command` starts: a program and its arguments,
    /// in which `{addr}`, `{host}` and `{port}` are replaced by the address
    /// to listen on. The suite appends the flags that a case needs.
    pub fn new<I>(command: I) -> Subject
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Subject {
            command: command.into_iter().map(Into::into).collect(),
            ready: Ready::Line,
            families: Family::ALL.to_vec(),
            framing: Framing::default(),
            flags: None,
            service_manager: true,
            max_n: MAX_N_DEFAULT,
            patience: PATIENCE_DEFAULT,
            model: ModelTraits::default(),
        }
    }

    /// Declares that the server serves one client after another: a second
    /// client waits in the backlog until the first has left.
    pub fn one_client_at_a_time(mut self) -> Subject {
        self.model.one_client_at_a_time = true;
        self
    }

    /// Declares that the server computes in the loop that waits for clients,
    /// on one thread or on several.
    pub fn computes_inline(mut self) -> Subject {
        self.model.computes_inline = true;
        self
    }

    /// Declares that the server computes on a pool and serves other clients
    /// meanwhile. A greedy client then gets no larger share of the pool than
    /// any other client.
    pub fn computes_on_a_pool(mut self) -> Subject {
        self.model.has_pool = true;
        self
    }

    /// Declares that the server computes on a pool, but blocks the loop that
    /// waits for clients until the pool has finished.
    pub fn waits_for_its_pool(mut self) -> Subject {
        self.model.waits_for_its_pool = true;
        self
    }

    /// Declares that the server's runtime takes a short read as a sign that
    /// the socket is empty. After a read that ended at urgent data, such a
    /// runtime reads no more until new bytes arrive.
    pub fn stops_at_urgent_data(mut self) -> Subject {
        self.model.stops_at_urgent_data = true;
        self
    }

    /// Declares that the server's pool consists of processes, which it can
    /// kill and must replace.
    pub fn has_worker_processes(mut self) -> Subject {
        self.model.has_pool = true;
        self.model.has_worker_processes = true;
        self
    }

    /// Declares that the server has a thread for each client.
    pub fn thread_per_client(mut self) -> Subject {
        self.model.thread_per_client = true;
        self
    }

    /// Declares that the server's cost per client allows 10,000 clients at a
    /// time.
    pub fn large_crowds(mut self) -> Subject {
        self.model.large_crowds = true;
        self
    }

    /// Sets how the server shows that it is ready (default: by its ready
    /// line).
    pub fn ready(mut self, ready: Ready) -> Subject {
        self.ready = ready;
        self
    }

    /// Sets the families of cases that the server claims to pass (default:
    /// all).
    pub fn families(mut self, families: &[Family]) -> Subject {
        self.families = families.to_vec();
        self
    }

    /// Sets the framing of the server's requests (default: as `--framing`
    /// specifies).
    pub fn framing(mut self, framing: Framing) -> Subject {
        self.framing = framing;
        self
    }

    /// Sets which flags of this project's servers the server has, such as
    /// `["--max-n"]`, or none. Cases that need another flag don't apply.
    pub fn only_flags<I>(mut self, flags: I) -> Subject
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.flags = Some(flags.into_iter().map(Into::into).collect());
        self
    }

    /// Declares that the server neither takes a socket from a service manager
    /// nor notifies one.
    pub fn without_service_manager(mut self) -> Subject {
        self.service_manager = false;
        self
    }

    /// Sets the largest n that the server accepts if no flag changes it
    /// (default: 45).
    pub fn max_n(mut self, max_n: u64) -> Subject {
        self.max_n = max_n;
        self
    }

    /// Sets how long to wait for an event that must happen (default: 20 s).
    /// This is no requirement on the server's speed: it only bounds the wait
    /// for a reply that never comes.
    pub fn patience(mut self, patience: Duration) -> Subject {
        self.patience = patience;
        self
    }

    /// Returns how long to wait for an event that must happen.
    pub(crate) fn max_wait(&self) -> Duration {
        self.patience
    }

    /// Returns a launch of the server with these arguments appended.
    pub(crate) fn launch(&self, flags: &[&str]) -> Launch {
        Launch::new(self.command.clone())
            .args(flags.iter().copied())
            .ready(self.ready)
    }

    /// Returns `true` if the server prints a ready line.
    pub(crate) fn is_ready_by_line(&self) -> bool {
        self.ready == Ready::Line
    }

    /// Returns `true` if the server claims to pass the cases of this family.
    pub(crate) fn claims(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    /// Returns `true` if the server has worker processes.
    pub(crate) fn runs_worker_processes(&self) -> bool {
        self.model.has_worker_processes
    }

    /// Returns `true` if the server has this flag.
    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        match &self.flags {
            None => true,
            Some(flags) => flags.iter().any(|known| known == flag),
        }
    }

    /// Returns the largest n that the server accepts without a flag.
    pub(crate) fn largest_n(&self) -> u64 {
        self.max_n
    }

    /// Returns `true` if the server has the flag `--framing`.
    pub(crate) fn has_framing_flag(&self) -> bool {
        self.framing == Framing::Flag
    }

    /// Returns `true` if the server can separate requests by lines.
    pub(crate) fn has_line_framing(&self) -> bool {
        self.framing != Framing::Talk
    }

    /// Returns `true` if a second client is served while the first is
    /// connected.
    pub(crate) fn serves_several(&self) -> bool {
        !self.model.one_client_at_a_time
    }

    /// Returns how many long jobs at a time block the server, if its model
    /// lets long jobs block it at all.
    pub(crate) fn long_jobs_that_block(&self) -> usize {
        if self.model.computes_inline {
            // A server with one loop is blocked by the first of these jobs; a
            // runtime with a loop on each core, once each loop has one.
            std::thread::available_parallelism().map_or(1, usize::from)
        } else {
            1
        }
    }

    /// Returns the reason why the model lacks this ability by design, or
    /// `None` if it has the ability.
    pub(crate) fn lacks(&self, ability: Ability) -> Option<&'static str> {
        let model = self.model;
        let rows = [
            (
                Ability::ServeBesideIdle,
                model.one_client_at_a_time,
                "it waits for its one client; others wait in the backlog",
            ),
            (
                Ability::AnswerBesideLongJob,
                model.one_client_at_a_time,
                "it serves the next client only when this one has left",
            ),
            (
                Ability::AnswerBesideLongJob,
                model.computes_inline,
                "it computes in the loop that waits for clients",
            ),
            (
                Ability::AnswerBesideLongJob,
                model.waits_for_its_pool,
                "it waits for its pool in the loop that waits for clients",
            ),
            (
                Ability::ReadPastUrgentData,
                model.stops_at_urgent_data,
                "its runtime takes a short read as the sign of an empty socket",
            ),
        ];
        rows.into_iter()
            .find(|&(lacked, applies, _)| lacked == ability && applies)
            .map(|(_, _, reason)| reason)
    }

    /// Returns the reason why the case doesn't apply to the server, or `None`
    /// if it applies.
    pub(crate) fn reason_to_skip(&self, case: &Case) -> Option<String> {
        if !self.claims(case.family) {
            return Some("not one of the families it claims".to_owned());
        }
        let is_talk = case.family == Family::Talk;
        let reason = match self.framing {
            Framing::Line if is_talk => Some("it has line framing only"),
            Framing::Talk if !is_talk => Some("it has the talk's framing only"),
            Framing::Flag | Framing::Line | Framing::Talk => None,
        };
        reason
            .map(str::to_owned)
            .or_else(|| case.needs.iter().find_map(|need| self.unmet(need)))
    }

    /// Returns the reason why the server doesn't meet `need`, or `None` if it
    /// does.
    fn unmet(&self, need: &Need) -> Option<String> {
        let (is_met, reason) = match *need {
            Need::Flag(flag) => {
                (self.has_flag(flag), format!("it has no {flag}"))
            }
            Need::SeveralClients => (
                self.serves_several(),
                "it serves one client at a time".to_owned(),
            ),
            Need::LargeCrowds => (
                self.model.large_crowds,
                "its cost per client is too high for 10,000".to_owned(),
            ),
            Need::Pool => {
                (self.model.has_pool, "it has no pool that computes".to_owned())
            }
            Need::ServiceManager => (
                self.service_manager && self.flags.is_none(),
                "it doesn't support a service manager".to_owned(),
            ),
            Need::Workers => (
                self.model.has_worker_processes,
                "it has no worker processes".to_owned(),
            ),
            Need::ThreadPerClient => (
                self.model.thread_per_client,
                "it starts no thread for a client".to_owned(),
            ),
        };
        (!is_met).then_some(reason)
    }
}
