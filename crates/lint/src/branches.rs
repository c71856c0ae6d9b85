//! Choice.

use asl::Body;

use crate::finding::{Doubt, Finding};
use crate::place::Place;

pub(crate) fn doubts(place: &Place) -> Vec<Finding> {
    match &place.state.body {
        Body::Choice(choice) if choice.default.is_none() => {
            vec![Finding { at: place.at.clone(), doubt: Doubt::ChoiceWithoutDefault }]
        }
        Body::Choice(_)
        | Body::Pass(_)
        | Body::Task(_)
        | Body::Wait(_)
        | Body::Succeed
        | Body::Fail(_)
        | Body::Parallel(_)
        | Body::Map(_) => vec![],
    }
}
