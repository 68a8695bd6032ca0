//! What the load generator is told to do.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use rustix::process::Pid;

/// One run of the load generator.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where the server listens.
    pub(crate) address: SocketAddr,
    /// The client groups, in the order in which they connect.
    pub(crate) groups: Vec<Group>,
    /// How long the clients talk before anything is counted.
    pub(crate) warm_up: Duration,
    /// How long they are measured.
    pub(crate) window: Duration,
    /// After how long a reply counts as not coming.
    pub(crate) reply_timeout: Duration,
    /// The server's process, whose cost is to be measured.
    pub(crate) server: Option<Pid>,
}

/// Clients that all do the same: a closed loop, in which each sends its next
/// request when the last one is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The name under which its figures stand in the report.
    pub(crate) name: String,
    /// The number that each request asks for.
    pub(crate) n: u8,
    /// How many clients.
    pub(crate) connections: usize,
    /// Where they go, if not to the plan's server.
    pub(crate) elsewhere: Option<SocketAddr>,
}

/// Reads `NAME:n=N,connections=K,addr=HOST:PORT`.
impl FromStr for Group {
    type Err = String;

    fn from_str(text: &str) -> Result<Group, String> {
        let (name, settings) =
            text.split_once(':').ok_or("expected NAME:n=N,connections=K")?;
        let mut group =
            Group { name: name.into(), n: 0, connections: 1, elsewhere: None };
        let mut n = None;
        for setting in settings.split(',') {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| format!("`{setting}` is not KEY=VALUE"))?;
            match key {
                "n" => n = Some(number(key, value, protocol::N_MAX)?),
                "connections" => {
                    group.connections = number(key, value, usize::MAX)?;
                }
                "addr" => {
                    let address = value.parse();
                    group.elsewhere =
                        Some(address.map_err(|_| "addr is not HOST:PORT")?);
                }
                _ => return Err(format!("no such key: `{key}`")),
            }
        }
        group.n = n.ok_or("n is missing")?;
        Ok(group)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Group { name, n, connections, elsewhere } = self;
        write!(f, "{name}:n={n},connections={connections}")?;
        match elsewhere {
            Some(address) => write!(f, ",addr={address}"),
            None => Ok(()),
        }
    }
}

fn number<T>(key: &str, value: &str, max: T) -> Result<T, String>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    match value.parse() {
        Ok(number) if number <= max => Ok(number),
        _ => Err(format!("{key} must be a number up to {max}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_back_as_it_is_written() {
        for elsewhere in [None, "127.0.0.1:25000".parse().ok()] {
            let name = "long".into();
            let group = Group { name, n: 36, connections: 2, elsewhere };
            assert_eq!(group.to_string().parse(), Ok(group));
        }
    }

    #[test]
    fn a_bad_group_is_told_what_is_wrong() {
        let cases = [
            ("short", "expected NAME:"),
            ("short:", "not KEY=VALUE"),
            ("short:connections=1", "n is missing"),
            ("short:n=94", "n must be a number up to 93"),
            ("short:n=1,conections=2", "no such key"),
            ("short:n=1,addr=here", "not HOST:PORT"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Group>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
