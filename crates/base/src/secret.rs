//! A text that nobody sees by accident.

use std::fmt;
use std::sync::Arc;

/// A text that is not printed: whoever needs it says so, with [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(text: impl Into<Arc<str>>) -> Secret {
        Secret(text.into())
    }

    /// The text itself. It goes to whoever asked for it, and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("canary");
        assert_eq!((secret.expose(), format!("{secret:?}")), ("canary", "Secret(..)".to_owned()));
    }
}
