//! A scenario that varies, as one scenario for each value.

use crate::model::scenarios::schema::{Point, Scenario, Sweep};
use crate::model::scenarios::validation::check;

/// What is measured: each scenario, or in place of one that varies, one for
/// each value, which is named after both.
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

pub(crate) fn point_name(scenario: &str, value: f64) -> String {
    format!("{scenario}@{value}")
}

impl Scenario {
    /// One value of what varies, be it among those of the file or not.
    ///
    /// # Errors
    ///
    /// When nothing varies, or can't take this value.
    pub(crate) fn point_at(&self, value: f64) -> Result<Scenario, String> {
        let Some(sweep) = &self.sweep else {
            return Err("nothing varies in it".to_owned());
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
        for group in &mut scenario.groups {
            if group.name == sweep.group {
                group
                    .set(sweep.parameter, value)
                    .expect("each value was tried when the file was read");
            }
        }
        scenario.groups.retain(|group| group.connections > 0);
        scenario.sweep = None;
        scenario.point = Some(Point { scenario: of, value });
        scenario
    }
}
