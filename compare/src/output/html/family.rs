//! How contestants are told apart: by a family's colour and marker, and by
//! their own name, which is never far.
//!
//! Ten colours cannot be told apart by anybody, and by the colour-blind not
//! even seven of the usual ones. So a colour stands for a model's kind, has
//! a shape of its own beside it, and no chart asks which of ten lines is
//! which.

use crate::model::contestant::Contestant;
use crate::model::contestant::ModelTrait;

/// A kind of model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// What its members do.
    pub(super) name: &'static str,
    /// Its class in the style sheet.
    pub(crate) class: &'static str,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Square,
    TriangleUp,
    Diamond,
    Circle,
    Pentagon,
    TriangleDown,
    Cross,
}

/// Those that are known by what their model can't do go first.
const KINDS: [(ModelTrait, Family); 6] = [
    (
        ModelTrait::OneClientAtATime,
        Family {
            name: "one client at a time",
            class: "f-one",
            shape: Shape::Square,
        },
    ),
    (
        ModelTrait::WorkerProcesses,
        Family {
            name: "computes in worker processes",
            class: "f-processes",
            shape: Shape::Diamond,
        },
    ),
    (
        ModelTrait::WaitsForItsPool,
        Family {
            name: "waits for its pool inside the loop",
            class: "f-stall",
            shape: Shape::TriangleDown,
        },
    ),
    (
        ModelTrait::ComputesInline,
        Family {
            name: "computes inside the loop",
            class: "f-inline",
            shape: Shape::Circle,
        },
    ),
    (
        ModelTrait::ComputesOnAPool,
        Family {
            name: "computes on a pool of threads",
            class: "f-pool",
            shape: Shape::Pentagon,
        },
    ),
    (
        ModelTrait::ThreadPerClient,
        Family {
            name: "a thread per client",
            class: "f-threads",
            shape: Shape::TriangleUp,
        },
    ),
];

const OTHER: Family = Family {
    name: "says nothing of its model",
    class: "f-other",
    shape: Shape::Cross,
};

impl Family {
    /// The family of a contestant.
    pub(crate) fn of(contestant: &Contestant) -> Family {
        let kind = KINDS.iter().find(|(kind, _)| contestant.is(*kind));
        kind.map_or(OTHER, |(_, family)| *family)
    }

    /// All of them, in the order in which they are listed.
    pub(super) fn all() -> impl Iterator<Item = Family> {
        KINDS.iter().map(|(_, family)| *family).chain([OTHER])
    }

    /// Its marker around a place, as the data of an SVG path.
    pub(crate) fn marker(self, x: f64, y: f64) -> String {
        let polygon = |corners: &[(f64, f64)]| {
            let corners = corners
                .iter()
                .map(|(dx, dy)| format!("{:.1} {:.1}", x + dx, y + dy));
            format!("M{}z", corners.collect::<Vec<_>>().join("L"))
        };
        match self.shape {
            Shape::Circle => {
                format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", x - 4.0)
            }
            Shape::Square => {
                polygon(&[(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)])
            }
            Shape::Diamond => {
                polygon(&[(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)])
            }
            Shape::TriangleUp => {
                polygon(&[(0.0, -4.8), (4.7, 3.6), (-4.7, 3.6)])
            }
            Shape::TriangleDown => {
                polygon(&[(0.0, 4.8), (4.7, -3.6), (-4.7, -3.6)])
            }
            Shape::Pentagon => polygon(&[
                (0.0, -4.6),
                (4.4, -1.4),
                (2.7, 3.7),
                (-2.7, 3.7),
                (-4.4, -1.4),
            ]),
            Shape::Cross => polygon(&[
                (-1.3, -4.5),
                (1.3, -4.5),
                (1.3, -1.3),
                (4.5, -1.3),
                (4.5, 1.3),
                (1.3, 1.3),
                (1.3, 4.5),
                (-1.3, 4.5),
                (-1.3, 1.3),
                (-4.5, 1.3),
                (-4.5, -1.3),
                (-1.3, -1.3),
            ]),
        }
    }

    /// Its marker as a small picture beside a name, which says it all.
    pub(super) fn swatch(self) -> String {
        let marker = self.marker(6.0, 6.0);
        let class = self.class;
        format!(
            "<svg class=\"swatch {class}\" viewBox=\"0 0 12 12\" \
             aria-hidden=\"true\"><path class=\"mark\" d=\"{marker}\"/></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_families_look_alike() {
        let all: Vec<Family> = Family::all().collect();
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert_ne!(one.class, other.class);
                assert_ne!(one.shape, other.shape);
            }
        }
    }
}
