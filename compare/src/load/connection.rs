//! The connection of one client: its requests in flight, and the check of each
//! reply.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::Instant;

use crate::load::tally::{Sent, Tally, error_token};
use crate::model::contestant::Framing;
use crate::model::fibonacci::fibonacci;

/// The size of the buffer for one read.
pub(crate) const READ_BYTES: usize = 4096;

/// The longest line without an LF that can still become a reply.
const LINE_BYTES_MAX: usize = 4096;

/// A client's connection.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// Whether the connection is not established yet.
    pub(crate) is_connecting: bool,
    /// Since when the connection has no request, for open loops.
    pub(crate) free_since: Instant,
    in_flight: VecDeque<Sent>,
    /// Whether the client has got a reply.
    pub(crate) is_served: bool,
    /// The number of replies that are still to come.
    owed: usize,
    /// How many bytes of the next reply have come, all of them as expected.
    matched: usize,
    /// The bytes of the next reply, if they are not as expected.
    odd: Vec<u8>,
}

/// The bytes that a group sends and expects.
pub(crate) struct Bytes {
    /// The request, repeated as often as one connection may send it at once.
    pub(crate) requests: Vec<u8>,
    pub(crate) request_len: usize,
    /// The reply, repeated so often that any input of correct replies is a part
    /// of it.
    replies: Vec<u8>,
    reply_len: usize,
}

/// The result of processing some input.
pub(crate) enum Received {
    /// This number of requests was answered; 0, if no reply is complete.
    Answered(usize),
    /// The connection can't be used any more.
    Unusable,
}

impl Bytes {
    pub(crate) fn new(n: u8, depth: usize, framing: Framing) -> Bytes {
        let request = match framing {
            Framing::Line => format!("{n}\n"),
            Framing::Talk => n.to_string(),
        };
        let request = request.into_bytes();
        let reply = format!("{}\n", fibonacci(n)).into_bytes();
        let (request_len, reply_len) = (request.len(), reply.len());
        Bytes {
            requests: request.repeat(depth),
            request_len,
            replies: reply.repeat(READ_BYTES.div_ceil(reply_len) + 1),
            reply_len,
        }
    }

    fn reply(&self) -> &[u8] {
        &self.replies[..self.reply_len]
    }
}

impl Connection {
    /// Returns a connection that stores its requests in flight in the given
    /// queue.
    pub(crate) fn new(
        stream: TcpStream,
        in_flight: VecDeque<Sent>,
        now: Instant,
    ) -> Connection {
        Connection {
            stream,
            is_connecting: false,
            free_since: now,
            in_flight,
            is_served: false,
            owed: 0,
            matched: 0,
            odd: Vec::new(),
        }
    }

    /// Closes the connection, and returns its empty queue for the next one.
    /// Closing the stream also removes it from the epoll set.
    pub(crate) fn close(self) -> VecDeque<Sent> {
        let mut in_flight = self.in_flight;
        in_flight.clear();
        in_flight
    }

    /// Records requests that were sent.
    pub(crate) fn sent(&mut self, sent: Sent) {
        self.owed += sent.count;
        self.in_flight.push_back(sent);
    }

    /// Returns when the oldest request without a reply was sent.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.in_flight.front().map(|sent| sent.at)
    }

    /// Returns the number of requests without a reply.
    pub(crate) fn owed(&self) -> usize {
        self.owed
    }

    /// Returns the requests without a reply.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = &Sent> {
        self.in_flight.iter()
    }

    /// Processes input: compares it with the expected replies, and counts them.
    pub(crate) fn receive(
        &mut self,
        input: &[u8],
        bytes: &Bytes,
        tally: &mut Tally,
        now: Instant,
    ) -> Received {
        let end = self.matched + input.len();
        let is_right = self.odd.is_empty()
            && input == &bytes.replies[self.matched..end]
            && end / bytes.reply_len <= self.owed;
        if !is_right {
            return self.receive_odd(input, bytes, tally, now);
        }
        let count = end / bytes.reply_len;
        self.matched = end % bytes.reply_len;
        self.answered(count, |sent, count| tally.right(sent, count, now));
        Received::Answered(count)
    }

    /// Processes input line by line, if it doesn't consist of correct replies.
    fn receive_odd(
        &mut self,
        input: &[u8],
        bytes: &Bytes,
        tally: &mut Tally,
        now: Instant,
    ) -> Received {
        let mut odd = std::mem::take(&mut self.odd);
        odd.extend_from_slice(&bytes.replies[..self.matched]);
        odd.extend_from_slice(input);
        self.matched = 0;
        let mut answered = 0;
        while let Some(lf) = odd.iter().position(|&byte| byte == b'\n') {
            let line = &odd[..lf];
            if self.owed == 0 {
                // A reply without a request.
                tally.wrong(line);
            } else if odd[..=lf] == *bytes.reply() {
                self.answered(1, |sent, count| tally.right(sent, count, now));
                answered += 1;
            } else {
                tally.not_right(line);
                self.answered(1, |_, _| ());
                answered += 1;
                if error_token(line).as_deref() == Some("server-full") {
                    // After this error, the server closes the connection.
                    return Received::Unusable;
                }
            }
            odd.drain(..=lf);
        }
        if odd.len() > LINE_BYTES_MAX {
            tally.wrong(&odd);
            return Received::Unusable;
        }
        if bytes.reply().starts_with(&odd) {
            self.matched = odd.len();
        } else {
            self.odd = odd;
        }
        Received::Answered(answered)
    }

    /// Removes so many requests from those in flight. Calls `each` once for
    /// requests that were sent together.
    fn answered(&mut self, count: usize, mut each: impl FnMut(&Sent, usize)) {
        let mut left = count;
        while left > 0
            && let Some(sent) = self.in_flight.front_mut()
        {
            let together = left.min(sent.count);
            each(sent, together);
            sent.count -= together;
            left -= together;
            if sent.count == 0 {
                self.in_flight.pop_front();
            }
        }
        self.owed -= count;
        self.is_served |= count > 0;
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Processes the replies to four requests for F(7), which come in pieces.
    fn take(pieces: &[&str]) -> (usize, Tally) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        let now = Instant::now();
        let mut connection = Connection::new(stream, VecDeque::new(), now);
        connection.sent(Sent { at: now, due: now, count: 3 });
        connection.sent(Sent { at: now, due: now, count: 1 });
        let bytes = Bytes::new(7, 4, Framing::Line);
        let mut tally = Tally::new(false);
        let mut answered = 0;
        for piece in pieces {
            let input = piece.as_bytes();
            match connection.receive(input, &bytes, &mut tally, now) {
                Received::Answered(count) => answered += count,
                Received::Unusable => break,
            }
        }
        (answered, tally)
    }

    #[test]
    fn replies_are_counted_wherever_reads_split_them() {
        let replies = "13\n13\n13\n13\n";
        for first in 0..replies.len() {
            for second in first..replies.len() {
                let (one, rest) = replies.split_at(first);
                let (two, three) = rest.split_at(second - first);
                let (answered, tally) = take(&[one, two, three]);
                assert_eq!(answered, 4, "{one:?} {two:?} {three:?}");
                assert_eq!(tally.replies_in_all(), 4);
                assert_eq!(tally.faults().wrong, 0);
            }
        }
    }

    #[test]
    fn a_wrong_reply_is_found_wherever_reads_split_it() {
        let replies = "13\n14\n13\n13\n";
        for cut in 0..replies.len() {
            let (one, two) = replies.split_at(cut);
            let (answered, tally) = take(&[one, two]);
            assert_eq!(answered, 4, "{one:?} {two:?}");
            assert_eq!(tally.replies_in_all(), 3);
            assert_eq!(tally.faults().wrong, 1);
            assert_eq!(tally.faults().first_wrong.as_deref(), Some("14"));
        }
    }

    #[test]
    fn a_reply_without_a_request_is_wrong() {
        let (answered, tally) = take(&["13\n13\n13\n", "13\n13\n"]);
        assert_eq!(answered, 4);
        assert_eq!(tally.faults().wrong, 1);
    }
}
