//! The expansion of a sweep: one scenario for each of its values.

use crate::model::figure::Figure;
use crate::model::scenarios::schema::{
    ClientGroup, Parameter, Point, Scenario, Sweep,
};
use crate::model::scenarios::validation::check;

/// Replaces each scenario that has a sweep by one scenario per value (a point),
/// whose name contains the value. Only the usual values, if `only_usual`.
pub(crate) fn expand(
    scenarios: &[Scenario],
    only_usual: bool,
) -> Vec<Scenario> {
    let varies = |name: &String| {
        scenarios.iter().any(|s| s.name == *name && s.sweep.is_some())
    };
    let expanded = scenarios.iter().flat_map(|scenario| {
        let Some(sweep) = &scenario.sweep else {
            return vec![scenario.clone()];
        };
        let usual = sweep.usual.as_ref().filter(|_| only_usual);
        let values = usual.unwrap_or(&sweep.values).iter();
        let points = values.map(|&value| {
            let mut point = scenario.at(sweep, value);
            if let Some(against) = &mut point.against
                && varies(against)
            {
                *against = point_name(against, value);
            }
            point
        });
        points.collect()
    });
    expanded.collect()
}

/// Returns the name of a scenario at one value of its sweep.
pub(crate) fn point_name(scenario: &str, value: f64) -> String {
    format!("{scenario}@{value}")
}

impl Scenario {
    /// Returns the scenario at one value of its sweep. The value need not be
    /// one of the file's.
    ///
    /// # Errors
    ///
    /// Returns an error if the scenario has no sweep, or if the value is
    /// invalid.
    pub(crate) fn point_at(&self, value: f64) -> Result<Scenario, String> {
        let Some(sweep) = &self.sweep else {
            return Err("the scenario has no sweep".to_owned());
        };
        let values = vec![value];
        let sweep = Sweep { values, usual: None, ..sweep.clone() };
        let alone = Scenario { sweep: Some(sweep.clone()), ..self.clone() };
        check(&alone).map_err(|mistake| mistake.what)?;
        Ok(alone.at(&sweep, value))
    }

    fn at(&self, sweep: &Sweep, value: f64) -> Scenario {
        let of = self.name.clone();
        let mut scenario = self.clone();
        scenario.name = point_name(&of, value);
        scenario
            .set(sweep, value)
            .expect("each value was checked when the file was read");
        scenario.groups.retain(|group| group.connections > 0);
        if sweep.values.iter().all(|other| value <= *other) {
            // The others are compared with this one.
            scenario.figures.retain(|figure| *figure != Figure::PerClient);
        }
        scenario.sweep = None;
        scenario.point = Some(Point { scenario: of, value });
        scenario
    }

    /// Sets the parameter of a sweep.
    fn set(&mut self, sweep: &Sweep, value: f64) -> Result<(), String> {
        if sweep.parameter == Parameter::Workers {
            return self.set_workers(value);
        }
        let varied = |group: &&mut ClientGroup| {
            Some(&group.name) == sweep.group.as_ref()
        };
        let mut groups = self.groups.iter_mut().filter(varied);
        groups.try_for_each(|group| group.set(sweep.parameter, value))
    }
}
