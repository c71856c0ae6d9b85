//! Where in a definition the parser is.

use std::fmt;

/// A place, as a list that lives on the stack and is written only when something is wrong there.
#[derive(Clone, Copy)]
pub(super) struct At<'s> {
    up: Option<&'s At<'s>>,
    step: Step<'s>,
}

#[derive(Clone, Copy)]
enum Step<'s> {
    Key(&'s str),
    Index(usize),
}

impl<'s> At<'s> {
    pub(super) const ROOT: At<'static> = At { up: None, step: Step::Key("") };

    pub(super) fn key(&'s self, key: &'s str) -> At<'s> {
        At { up: Some(self), step: Step::Key(key) }
    }

    pub(super) fn index(&'s self, index: usize) -> At<'s> {
        At { up: Some(self), step: Step::Index(index) }
    }

    /// Whether this is the definition as a whole.
    pub(super) fn is_root(&self) -> bool {
        self.up.is_none()
    }

    fn steps(&self) -> Vec<Step<'s>> {
        let mut steps = Vec::new();
        let mut here = *self;
        while let Some(up) = here.up {
            steps.push(here.step);
            here = *up;
        }
        steps.reverse();
        steps
    }
}

/// As AWS writes places: `/States/Pick/Choices[0]/Next`, `/` for the whole.
impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str("/");
        }
        for step in self.steps() {
            match step {
                Step::Key(key) => write!(f, "/{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
