//! Parsing the system calls that strace(1) counts.

use std::collections::BTreeMap;

/// Parses the table of `strace -c`: `% time, seconds, usecs/call, calls,
/// errors, syscall`. The field `errors` may be missing.
pub(crate) fn read_summary(text: &str) -> BTreeMap<String, u64> {
    let rows = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (&name, _) = words.split_last()?;
        let count = words.get(3)?.parse().ok()?;
        let is_call = words.len() >= 5 && name != "total";
        is_call.then(|| (name.to_owned(), count))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_strace_is_parsed() {
        let text = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 52.31    0.104881           5     20011           recvfrom
 47.00    0.094239           4     20000         3 sendto
  0.69    0.001380          11       120       120 epoll_wait
------ ----------- ----------- --------- --------- ----------------
100.00    0.200500           4     40131       123 total
";
        let expected = [
            ("epoll_wait".to_owned(), 120),
            ("recvfrom".to_owned(), 20_011),
            ("sendto".to_owned(), 20_000),
        ];
        assert_eq!(read_summary(text), BTreeMap::from(expected));
    }
}
