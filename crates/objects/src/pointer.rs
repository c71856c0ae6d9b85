//! JSON Pointers (RFC 6901): where in a document the items are.

/// The names and indexes to follow, from the outside in. None for the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pointer {
    pub(crate) tokens: Vec<String>,
}

impl Pointer {
    /// Reads `/orders/0/lines`; the empty text is the whole document. Nothing when the text is no pointer.
    pub fn parse(text: &str) -> Option<Pointer> {
        if text.is_empty() {
            return Some(Pointer::default());
        }
        let tokens = text.strip_prefix('/')?.split('/').map(unescape).collect::<Option<_>>()?;
        Some(Pointer { tokens })
    }
}

/// `~1` stands for `/`, `~0` for `~`.
fn unescape(token: &str) -> Option<String> {
    let mut text = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(char) = chars.next() {
        match char {
            '~' => text.push(match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            }),
            char => text.push(char),
        }
    }
    Some(text)
}

/// `/orders/0/lines`
impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.tokens.iter().try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}

#[cfg(test)]
mod tests {
    use super::Pointer;

    #[test]
    fn follows_the_rfc() {
        let read = |text| Pointer::parse(text).map(|pointer| pointer.tokens);
        assert_eq!(read(""), Some(vec![]));
        assert_eq!(read("/"), Some(vec![String::new()]));
        assert_eq!(read("/a~1b/m~0n/0"), Some(vec!["a/b".to_owned(), "m~n".to_owned(), "0".to_owned()]));
        assert_eq!(read("a"), None);
        assert_eq!(read("/~2"), None);
        assert_eq!(Pointer::parse("/a~1b/m~0n/0").expect("a pointer").to_string(), "/a~1b/m~0n/0");
    }
}
