//! The reactor: waits for sockets, timers and other threads, and wakes the
//! tasks that wait for them.

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

/// The token of the waker for other threads. A source's token is its slot.
const INBOX: Token = Token(usize::MAX);

/// Waits for events, and wakes the tasks that wait for them.
pub(crate) struct Reactor {
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    registry: Registry,
    sources: RefCell<Slab<Rc<Source>>>,
    timers: RefCell<Vec<(Instant, Waker)>>,
}

/// The readiness of a socket, and the tasks that wait for it: at most one
/// reader and one writer. If a direction is given several wakers, only the
/// latest is woken.
#[derive(Debug)]
pub(crate) struct Source {
    slot: usize,
    pub(crate) input: Direction,
    pub(crate) output: Direction,
}

/// One direction of a socket.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// Whether an operation may succeed. Set by an event, cleared by an
    /// operation that would block or by a short read.
    is_ready: Cell<bool>,
    /// Whether `is_ready` is ignored, because the end of input, an error or
    /// urgent data was reported: from then on, a short read doesn't mean that
    /// the socket is empty.
    stays_ready: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Reactor {
    /// Creates a reactor, and the waker with which another thread can end its
    /// wait.
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

    /// Registers a socket, for all events until it is deregistered.
    pub(crate) fn register(
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

    /// Deregisters a socket.
    pub(crate) fn deregister(
        &self,
        socket: &mut impl event::Source,
        source: &Source,
    ) {
        // This fails only for a socket that is not registered.
        let _ = self.registry.deregister(socket);
        self.sources.borrow_mut().remove(source.slot);
    }

    /// Wakes `waker` at `time` or a little later.
    pub(crate) fn wake_at(&self, time: Instant, waker: &Waker) {
        self.timers.borrow_mut().push((time, waker.clone()));
    }

    /// Wakes the tasks whose events or timers have occurred. If the executor is
    /// idle, first waits until one does. Returns `true` if the inbox may have
    /// items.
    pub(crate) fn wait(&self, is_idle: bool) -> io::Result<bool> {
        let timeout = if is_idle {
            self.time_to_next_timer()
        } else {
            Some(Duration::ZERO)
        };
        let mut events = self.events.borrow_mut();
        match self.poll.borrow_mut().poll(&mut events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        let mut has_inbox = false;
        // No task runs meanwhile, so no slot is reused before the last event of
        // its previous socket has been noted.
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
    /// Notes an event. A spurious event costs at most one operation that would
    /// block.
    fn note(&self, event: &Event) {
        let input_ended =
            event.is_read_closed() || event.is_priority() || event.is_error();
        if event.is_readable() || input_ended {
            self.input.set_ready(input_ended);
        }
        let output_ended = event.is_write_closed() || event.is_error();
        if event.is_writable() || output_ended {
            self.output.set_ready(output_ended);
        }
    }
}

impl Direction {
    /// Notes that an operation may succeed, and wakes the task that waits.
    fn set_ready(&self, stays_ready: bool) {
        self.is_ready.set(true);
        self.stays_ready.set(self.stays_ready.get() || stays_ready);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Returns `true` if an operation may succeed.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.get() || self.stays_ready.get()
    }

    /// Notes that an operation would block until the next event.
    pub(crate) fn clear_ready(&self) {
        self.is_ready.set(false);
    }

    /// Wakes `waker` at the next event.
    pub(crate) fn wake_when_ready(&self, waker: &Waker) {
        *self.waker.borrow_mut() = Some(waker.clone());
    }
}

impl Unpark for mio::Waker {
    fn unpark(&self) {
        // This fails only if the eventfd's counter is full, which wakes the
        // reader, too.
        let _ = self.wake();
    }
}
