//! The server that is judged, as far as the suite must know it.

use std::time::Duration;

use launch::{Launch, Ready};

use crate::Family;
use crate::case::{Ability, Case, Need};

/// A server to judge: its command line, and what its model can and can't do.
///
/// Without further calls it is one of the ten: it has every flag, serves many
/// clients at a time, and answers the short beside the long.
#[derive(Clone, Debug)]
pub struct Subject {
    command: Vec<String>,
    ready: Ready,
    families: Vec<Family>,
    framing: Framing,
    /// `None`: every flag of the ten.
    flags: Option<Vec<String>>,
    has_manager: bool,
    max_n: u64,
    patience: Duration,
    model: Model,
}

/// Which framing a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// What `--framing` says, lines by default.
    #[default]
    Flag,
    /// Lines only.
    Line,
    /// The talk's only: each read is a request.
    Talk,
}

#[derive(Clone, Copy, Debug, Default)]
struct Model {
    one_client_at_a_time: bool,
    computes_inline: bool,
    waits_for_its_pool: bool,
    stops_at_urgent_data: bool,
    has_pool: bool,
    has_worker_processes: bool,
    thread_per_client: bool,
    large_crowds: bool,
}

/// Long enough for a job that was chosen to take a second or two, on a
/// machine that has other things to do.
const PATIENCE_DEFAULT: Duration = Duration::from_secs(20);

/// The default of `--max-n`.
const MAX_N_DEFAULT: u64 = 45;

impl Subject {
    /// The server that `command` starts: a program and its arguments, in
    /// which `{addr}`, `{host}` and `{port}` stand for the address to listen
    /// on. The suite adds the flags that a case is about.
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
            has_manager: true,
            max_n: MAX_N_DEFAULT,
            patience: PATIENCE_DEFAULT,
            model: Model::default(),
        }
    }

    /// It serves one client after another: a second one waits in the backlog
    /// until the first has left.
    pub fn one_client_at_a_time(mut self) -> Subject {
        self.model.one_client_at_a_time = true;
        self
    }

    /// It computes where it also waits for its clients, be it on one thread
    /// or on several.
    pub fn computes_inline(mut self) -> Subject {
        self.model.computes_inline = true;
        self
    }

    /// It computes on a pool and answers others meanwhile. A greedy client
    /// then has one place in the pool, like everyone else.
    pub fn computes_on_a_pool(mut self) -> Subject {
        self.model.has_pool = true;
        self
    }

    /// It computes on a pool, but waits for the pool where it should wait for
    /// its clients.
    pub fn waits_for_its_pool(mut self) -> Subject {
        self.model.waits_for_its_pool = true;
        self
    }

    /// Its runtime takes a short read for an empty socket. A read that stops
    /// short at urgent data then is the last until more comes.
    pub fn stops_at_urgent_data(mut self) -> Subject {
        self.model.stops_at_urgent_data = true;
        self
    }

    /// Its pool is one of processes, which it can kill and must replace.
    pub fn has_worker_processes(mut self) -> Subject {
        self.model.has_pool = true;
        self.model.has_worker_processes = true;
        self
    }

    /// It has a thread for each client.
    pub fn thread_per_client(mut self) -> Subject {
        self.model.thread_per_client = true;
        self
    }

    /// Its cost of a client allows 10,000 of them.
    pub fn large_crowds(mut self) -> Subject {
        self.model.large_crowds = true;
        self
    }

    /// How it shows that it serves (default: its ready line).
    pub fn ready(mut self, ready: Ready) -> Subject {
        self.ready = ready;
        self
    }

    /// The families that it claims to conform in (default: all of them).
    pub fn families(mut self, families: &[Family]) -> Subject {
        self.families = families.to_vec();
        self
    }

    /// The framing that it speaks (default: what `--framing` says).
    pub fn framing(mut self, framing: Framing) -> Subject {
        self.framing = framing;
        self
    }

    /// The flags that it has, of those of the ten: `["--max-n"]`, say, or
    /// none. A case that needs another one is not applicable.
    pub fn only_flags<I>(mut self, flags: I) -> Subject
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.flags = Some(flags.into_iter().map(Into::into).collect());
        self
    }

    /// It takes no socket from a service manager, and tells it nothing.
    pub fn without_service_manager(mut self) -> Subject {
        self.has_manager = false;
        self
    }

    /// The largest n that it serves when no flag says otherwise (default:
    /// 45).
    pub fn max_n(mut self, max_n: u64) -> Subject {
        self.max_n = max_n;
        self
    }

    /// How long to wait for what must come (default: 20 s). Nothing is asked
    /// of its speed: this only ends a wait that would be in vain.
    pub fn patience(mut self, patience: Duration) -> Subject {
        self.patience = patience;
        self
    }

    pub(crate) fn has_patience(&self) -> Duration {
        self.patience
    }

    /// A launch of it with these flags, each a flag or a flag's value.
    pub(crate) fn launch(&self, flags: &[&str]) -> Launch {
        Launch::new(self.command.clone())
            .args(flags.iter().copied())
            .ready(self.ready)
    }

    pub(crate) fn is_ready_by_line(&self) -> bool {
        self.ready == Ready::Line
    }

    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        match &self.flags {
            None => true,
            Some(flags) => flags.iter().any(|known| known == flag),
        }
    }

    pub(crate) fn largest_n(&self) -> u64 {
        self.max_n
    }

    pub(crate) fn is_framed_by_flag(&self) -> bool {
        self.framing == Framing::Flag
    }

    pub(crate) fn speaks_lines(&self) -> bool {
        self.framing != Framing::Talk
    }

    /// Whether a second client is served while a first one is connected.
    pub(crate) fn serves_several(&self) -> bool {
        !self.model.one_client_at_a_time
    }

    /// How many long jobs keep it from all else, if its model lets them.
    pub(crate) fn long_jobs_that_block(&self) -> usize {
        let cores = std::thread::available_parallelism();
        match self.model.computes_inline {
            // One where there is one loop; as many as there are workers
            // where a runtime has a loop on each core.
            true => cores.map_or(1, usize::from),
            false => 1,
        }
    }

    /// Why its model can't do that by design.
    pub(crate) fn lacks(&self, ability: Ability) -> Option<&'static str> {
        let model = self.model;
        let rows = [
            (
                Ability::ServeBesideIdle,
                model.one_client_at_a_time,
                "it waits for its one client, and others wait in the backlog",
            ),
            (
                Ability::AnswerBesideLongJob,
                model.one_client_at_a_time,
                "it serves the next client when this one has left",
            ),
            (
                Ability::AnswerBesideLongJob,
                model.computes_inline,
                "it computes where it should wait for its clients",
            ),
            (
                Ability::AnswerBesideLongJob,
                model.waits_for_its_pool,
                "it waits for its pool where it should wait for its clients",
            ),
            (
                Ability::ReadPastUrgentData,
                model.stops_at_urgent_data,
                "its runtime takes a short read for an empty socket",
            ),
        ];
        rows.into_iter()
            .find(|&(what, applies, _)| what == ability && applies)
            .map(|(_, _, reason)| reason)
    }

    /// Why the case can't be put to it.
    pub(crate) fn exempt_from(&self, case: &Case) -> Option<String> {
        if !self.families.contains(&case.family) {
            return Some("it makes no claim in this family".to_owned());
        }
        let talks = case.family == Family::Talk;
        match self.framing {
            Framing::Line if talks => {
                return Some("it speaks lines only".to_owned());
            }
            Framing::Talk if !talks => {
                return Some("it speaks the talk's framing only".to_owned());
            }
            _ => {}
        }
        case.needs.iter().find_map(|need| self.misses(need))
    }

    fn misses(&self, need: &Need) -> Option<String> {
        let (met, reason) = match *need {
            Need::Flag(flag) => {
                (self.has_flag(flag), format!("it has no {flag}"))
            }
            Need::SeveralClients => (
                self.serves_several(),
                "it serves one client at a time".to_owned(),
            ),
            Need::LargeCrowds => (
                self.model.large_crowds,
                "its cost of a client does not allow it".to_owned(),
            ),
            Need::Pool => {
                (self.model.has_pool, "it computes on no pool".to_owned())
            }
            Need::ServiceManager => (
                self.has_manager && self.flags.is_none(),
                "it is no service manager's".to_owned(),
            ),
            Need::Workers => (
                self.model.has_worker_processes,
                "it has no worker processes".to_owned(),
            ),
            Need::ThreadPerClient => (
                self.model.thread_per_client,
                "it needs no thread for a client".to_owned(),
            ),
        };
        (!met).then_some(reason)
    }
}
