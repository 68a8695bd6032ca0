use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use mio::event::{self, Event};
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

use crate::inbox::Unpark;

const EVENTS_PER_POLL: usize = 1_024;

/// The token of the waker for other threads; a source's is its slot.
const INBOX: Token = Token(usize::MAX);

/// Waits for sockets and for times, and wakes who waits for them.
pub(crate) struct Reactor {
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    registry: Registry,
    sources: RefCell<Slab<Rc<Source>>>,
    timers: RefCell<Vec<(Instant, Waker)>>,
}

/// What is known of a socket, and who waits for it: one reader and one
/// writer at most. Of several wakers, the latest counts.
#[derive(Debug)]
pub(crate) struct Source {
    slot: usize,
    pub(crate) input: Direction,
    pub(crate) output: Direction,
}

/// One direction of a socket.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// A try may succeed. An edge says so; a try finds the contrary.
    is_ready: Cell<bool>,
    /// The end has been told, or urgent data: from now on, a short read does
    /// not mean that there is nothing left.
    is_at_end: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Reactor {
    /// A reactor, and the waker that ends its wait from another thread.
    pub(crate) fn new() -> io::Result<(Reactor, mio::Waker)> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = mio::Waker::new(&registry, INBOX)?;
        let reactor = Reactor {
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(EVENTS_PER_POLL)),
            registry,
            sources: RefCell::default(),
            timers: RefCell::default(),
        };
        Ok((reactor, waker))
    }

    /// Watches a socket.
    pub(crate) fn enter(
        &self,
        socket: &mut impl event::Source,
    ) -> io::Result<Rc<Source>> {
        let mut sources = self.sources.borrow_mut();
        let entry = sources.vacant_entry();
        let slot = entry.key();
        let interest =
            Interest::READABLE | Interest::PRIORITY | Interest::WRITABLE;
        self.registry.register(socket, Token(slot), interest)?;
        let (input, output) = Default::default();
        let source = Rc::new(Source { slot, input, output });
        Ok(Rc::clone(entry.insert(source)))
    }

    /// Watches it no longer.
    pub(crate) fn leave(
        &self,
        socket: &mut impl event::Source,
        source: &Source,
    ) {
        // It fails only for a socket that is not registered.
        let _ = self.registry.deregister(socket);
        self.sources.borrow_mut().remove(source.slot);
    }

    /// Wakes `waker` at `time`, or a little later.
    pub(crate) fn wake_at(&self, time: Instant, waker: &Waker) {
        self.timers.borrow_mut().push((time, waker.clone()));
    }

    /// Waits for events, unless there is something else to do, and wakes who
    /// waited for them. Returns whether another thread has left something.
    pub(crate) fn wait(&self, is_idle: bool) -> io::Result<bool> {
        let timeout = match is_idle {
            true => self.time_to_next_timer(),
            false => Some(Duration::ZERO),
        };
        let mut events = self.events.borrow_mut();
        match self.poll.borrow_mut().poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        let mut has_inbox = false;
        // No task runs meanwhile, so no slot passes to another socket while
        // an event for the last one is still to come.
        for event in &*events {
            match event.token() {
                INBOX => has_inbox = true,
                Token(slot) => {
                    if let Some(source) = self.sources.borrow().get(slot) {
                        source.note(event);
                    }
                }
            }
        }
        self.wake_timers();
        Ok(has_inbox)
    }

    fn time_to_next_timer(&self) -> Option<Duration> {
        let timers = self.timers.borrow();
        let next = timers.iter().map(|(time, _)| *time).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn wake_timers(&self) {
        let mut timers = self.timers.borrow_mut();
        if timers.is_empty() {
            return;
        }
        let now = Instant::now();
        for (_, waker) in timers.extract_if(.., |(time, _)| *time <= now) {
            waker.wake();
        }
    }
}

impl Source {
    /// Notes what an event tells, which may be nothing: a wake without reason
    /// costs one try.
    fn note(&self, event: &Event) {
        let input_ended =
            event.is_read_closed() || event.is_priority() || event.is_error();
        if event.is_readable() || input_ended {
            self.input.ready(input_ended);
        }
        let output_ended = event.is_write_closed() || event.is_error();
        if event.is_writable() || output_ended {
            self.output.ready(output_ended);
        }
    }
}

impl Direction {
    fn ready(&self, is_at_end: bool) {
        self.is_ready.set(true);
        self.is_at_end.set(self.is_at_end.get() || is_at_end);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether a try may succeed.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.get() || self.is_at_end.get()
    }

    /// Notes that there is nothing left, until the next edge.
    pub(crate) fn exhausted(&self) {
        self.is_ready.set(false);
    }

    /// Wakes `waker` at the next event.
    pub(crate) fn wake_when_ready(&self, waker: &Waker) {
        *self.waker.borrow_mut() = Some(waker.clone());
    }
}

impl Unpark for mio::Waker {
    fn unpark(&self) {
        // The one failure is a counter that is full, which wakes as well.
        let _ = self.wake();
    }
}
