//! Assigning processors to the server and to the load generator.

use std::str::FromStr;

use anyhow::{Context, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::base::exit::Usage;
use crate::model::placement::{Cpus, Placement};

/// The processors that may be used, and those that the user chose.
#[derive(Clone, Debug)]
pub(crate) struct Processors {
    allowed: Vec<usize>,
    server: Option<CpuList>,
    load: Option<CpuList>,
}

/// A list of processors by number, such as `0,2-3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CpuList(Vec<usize>);

impl Processors {
    /// Returns the processors that this process may use, which taskset(1) or a
    /// container's limits may have restricted.
    ///
    /// # Errors
    ///
    /// Returns a [`Usage`] error if the user chose other processors.
    pub(crate) fn allowed(
        server: Option<CpuList>,
        load: Option<CpuList>,
    ) -> anyhow::Result<Processors> {
        let set = sched_getaffinity(None)
            .context("cannot read which processors may be used")?;
        // A sandbox may forbid what each server and load generator needs.
        sched_setaffinity(None, &set)
            .context("cannot choose processors (sched_setaffinity)")?;
        let allowed: Vec<usize> =
            (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect();
        for (flag, list) in [("--server-cpus", &server), ("--load-cpus", &load)]
        {
            let CpuList(list) = list.clone().unwrap_or(CpuList(Vec::new()));
            let foreign = list.iter().find(|cpu| !allowed.contains(cpu));
            if let Some(cpu) = foreign {
                let text = format!(
                    "{flag}: processor {cpu} is not available; use some of \
                     {allowed:?}"
                );
                bail!(Usage(text));
            }
        }
        Ok(Processors { allowed, server, load })
    }

    /// Returns the processors of server and load generator in a scenario.
    pub(crate) fn place(&self, cpus: Cpus) -> Placement {
        let all = &self.allowed;
        let placed = match (cpus, all.split_last()) {
            (Cpus::Split, Some((&last, others))) if !others.is_empty() => {
                Placement { server: others.to_vec(), load: vec![last] }
            }
            (Cpus::One, Some((&last, _))) => {
                Placement { server: vec![all[0]], load: vec![last] }
            }
            (Cpus::Split | Cpus::Shared, _) | (Cpus::One, None) => {
                Placement { server: all.clone(), load: all.clone() }
            }
        };
        let chosen = |list: &Option<CpuList>, otherwise| match list {
            Some(CpuList(list)) => list.clone(),
            None => otherwise,
        };
        Placement {
            server: chosen(&self.server, placed.server),
            load: chosen(&self.load, placed.load),
        }
    }

    /// Returns the numbers of the processors that may be used.
    pub(crate) fn numbers(&self) -> &[usize] {
        &self.allowed
    }
}

impl From<CpuList> for Vec<usize> {
    fn from(CpuList(list): CpuList) -> Vec<usize> {
        list
    }
}

impl FromStr for CpuList {
    type Err = String;

    fn from_str(text: &str) -> Result<CpuList, String> {
        let mut list = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            match (first.parse::<usize>(), last.parse::<usize>()) {
                (Ok(first), Ok(last))
                    if first <= last && last < CpuSet::MAX_CPU =>
                {
                    list.extend(first..=last);
                }
                _ => {
                    let what = "expected a list such as 0,2-3";
                    return Err(format!("`{part}`: {what}"));
                }
            }
        }
        Ok(CpuList(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(allowed: &[usize], cpus: Cpus) -> (Vec<usize>, Vec<usize>) {
        let allowed = allowed.to_vec();
        let processors = Processors { allowed, server: None, load: None };
        let Placement { server, load } = processors.place(cpus);
        (server, load)
    }

    #[test]
    fn the_processors_are_divided_as_the_scenario_specifies() {
        let two = vec![0, 1];
        assert_eq!(place(&two, Cpus::Split), (vec![0], vec![1]));
        assert_eq!(place(&two, Cpus::Shared), (two.clone(), two.clone()));
        assert_eq!(place(&two, Cpus::One), (vec![0], vec![1]));
        let four = [2, 3, 6, 7];
        assert_eq!(place(&four, Cpus::Split), (vec![2, 3, 6], vec![7]));
        assert_eq!(place(&four, Cpus::One), (vec![2], vec![7]));
    }

    #[test]
    fn server_and_load_share_a_single_processor() {
        for cpus in [Cpus::Split, Cpus::Shared, Cpus::One] {
            assert_eq!(place(&[3], cpus), (vec![3], vec![3]));
        }
    }

    #[test]
    fn the_users_choice_has_priority_over_the_scenario() {
        let processors = Processors {
            allowed: vec![0, 1, 2, 3],
            server: "1-2".parse().ok(),
            load: None,
        };
        let placement = processors.place(Cpus::Split);
        assert_eq!(placement.server, [1, 2]);
        assert_eq!(placement.load, [3]);
    }

    #[test]
    fn a_list_of_processors_is_parsed() {
        assert_eq!("0,2-4".parse(), Ok(CpuList(vec![0, 2, 3, 4])));
        for bad in ["", "a", "3-1", "1,,2", "99999999"] {
            assert!(bad.parse::<CpuList>().is_err(), "{bad}");
        }
    }
}
