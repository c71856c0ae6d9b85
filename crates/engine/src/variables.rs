//! Variables: what `Assign` gave, in the scope of its block.
//!
//! The machine is the outermost scope; each branch of a Parallel and each iteration of a Map has one of its own inside,
//! reads what is around it and is forgotten when it ends (Developer Guide, "Passing data between states with
//! variables"). Whoever looks a name up goes outwards from frame to frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Json;
use serde::{Deserialize, Serialize};

/// What one `Assign` gave: each name with its value. None where there is nothing to assign.
pub(crate) type Assigned = Option<Vec<(Arc<str>, Json)>>;

/// The variables of one scope. A clone is a pointer copy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Variables(Arc<BTreeMap<Arc<str>, Json>>);

impl Variables {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// Keeps `assigned`; the result is what the scope's values take now minus what they took before, in bytes.
    pub(crate) fn assign(&mut self, assigned: &[(Arc<str>, Json)]) -> i64 {
        let grown = self.growth(assigned);
        let variables = Arc::make_mut(&mut self.0);
        variables.extend(assigned.iter().cloned());
        grown
    }

    /// By how many bytes the scope's values would grow. A name stands once in what an `Assign` gave.
    pub(crate) fn growth(&self, assigned: &[(Arc<str>, Json)]) -> i64 {
        assigned.iter().map(|(name, value)| len(value) - self.get(name).map_or(0, len)).sum()
    }

    /// What the values take, in bytes.
    pub(crate) fn bytes(&self) -> i64 {
        self.0.values().map(len).sum()
    }
}

fn len(value: &Json) -> i64 {
    i64::try_from(value.text_len()).unwrap_or(i64::MAX)
}
