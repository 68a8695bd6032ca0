//! The families of contestants, by concurrency model, each with a colour and a
//! marker.
//!
//! No reader can tell ten colours apart, and colour-blind readers not even
//! seven. So each family, not each contestant, has a colour, and also a shape
//! of its own. Contestants are labelled with their names, and no chart requires
//! the reader to tell ten lines apart.

use crate::model::contestant::{Contestant, ModelTrait};

/// A family of concurrency models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// What its members do, for the legend.
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

/// The families, by the trait of their members. A contestant with several of
/// these traits belongs to the first of the families, so traits that limit a
/// model come first.
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
            name: "waits for its pool in the event loop",
            class: "f-stall",
            shape: Shape::TriangleDown,
        },
    ),
    (
        ModelTrait::ComputesInline,
        Family {
            name: "computes in the event loop",
            class: "f-inline",
            shape: Shape::Circle,
        },
    ),
    (
        ModelTrait::ComputesOnAPool,
        Family {
            name: "computes in a thread pool",
            class: "f-pool",
            shape: Shape::Pentagon,
        },
    ),
    (
        ModelTrait::ThreadPerClient,
        Family {
            name: "one thread per client",
            class: "f-threads",
            shape: Shape::TriangleUp,
        },
    ),
];

/// The family of contestants that specify none of the traits.
const OTHER: Family = Family {
    name: "model not specified",
    class: "f-other",
    shape: Shape::Cross,
};

impl Family {
    /// Returns the family of a contestant.
    pub(crate) fn of(contestant: &Contestant) -> Family {
        let kind = KINDS.iter().find(|(kind, _)| contestant.is(*kind));
        kind.map_or(OTHER, |(_, family)| *family)
    }

    /// Returns all families, in the order of the legend.
    pub(super) fn all() -> impl Iterator<Item = Family> {
        KINDS.iter().map(|(_, family)| *family).chain([OTHER])
    }

    /// Returns the marker, centred at `x` and `y`, as the data of an SVG path.
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

    /// Returns the marker as a small picture. It is hidden from screen readers,
    /// because the text beside it is enough.
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
    fn no_two_families_share_a_colour_or_a_shape() {
        let all: Vec<Family> = Family::all().collect();
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert_ne!(one.class, other.class);
                assert_ne!(one.shape, other.shape);
            }
        }
    }
}
