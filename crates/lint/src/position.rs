//! From a place in a definition to its line and column.

/// Where something begins in a text: both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Where the value at `location` (as AWS writes it: `/States/Pick/Choices[0]`) begins in `text`; where there is no such
/// value, the nearest one around it. `text` is JSON: of anything else the beginning.
pub fn position(text: &str, location: &str) -> Position {
    let at = Scanner { bytes: text.as_bytes() }.find(location).unwrap_or(0);
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

struct Scanner<'a> {
    bytes: &'a [u8],
}

impl Scanner<'_> {
    /// The offset of the value at `location`, or of the nearest around it.
    fn find(&self, location: &str) -> Option<usize> {
        let mut at = self.blank(0);
        let mut rest = location;
        while !rest.is_empty() && rest != "/" {
            match self.inner(at, rest) {
                Some((inner, left)) => (at, rest) = (inner, left),
                None => break,
            }
        }
        (at < self.bytes.len()).then_some(at)
    }

    /// The member or item that `rest` begins with: its value's offset, and what is left of the location. A name may
    /// have a `/` or a `[` in it: of the names that fit, the longest is meant.
    fn inner<'l>(&self, at: usize, rest: &'l str) -> Option<(usize, &'l str)> {
        if let Some(index) = rest.strip_prefix('[') {
            let (index, left) = index.split_once(']')?;
            let item = self.values(at).nth(index.parse().ok()?)?;
            return Some((item.value, left));
        }
        let name = rest.strip_prefix('/')?;
        let fits = |member: &Member| {
            let key: String = serde_key(&self.bytes[member.key?..])?;
            let left = name.strip_prefix(key.as_str())?;
            let ends = left.is_empty() || left.starts_with(['/', '[']);
            ends.then_some((member.value, left))
        };
        self.values(at).filter_map(|member| fits(&member)).min_by_key(|(_, left)| left.len())
    }

    /// The members of an object or the items of an array that begins at `at`.
    fn values(&self, at: usize) -> impl Iterator<Item = Member> + '_ {
        let is_object = self.bytes.get(at) == Some(&b'{');
        let is_array = self.bytes.get(at) == Some(&b'[');
        let mut next = (is_object || is_array).then(|| self.blank(at + 1));
        std::iter::from_fn(move || {
            let start = next.filter(|start| !matches!(self.bytes.get(*start), None | Some(b'}' | b']')))?;
            let (key, value) = match is_object {
                true => (Some(start), self.blank(self.blank(self.string(start)) + 1)),
                false => (None, start),
            };
            let end = self.blank(self.skip(value));
            next = (self.bytes.get(end) == Some(&b',')).then(|| self.blank(end + 1));
            Some(Member { key, value })
        })
    }

    /// The offset after the value that begins at `at`.
    fn skip(&self, at: usize) -> usize {
        match self.bytes.get(at) {
            Some(b'"') => self.string(at),
            Some(b'{' | b'[') => self.nested(at),
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                let rest = self.bytes.get(at..).unwrap_or_default();
                at + rest.iter().position(ends).unwrap_or(rest.len())
            }
        }
    }

    fn nested(&self, start: usize) -> usize {
        let (mut at, mut depth) = (start, 0usize);
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'"' => {
                    at = self.string(at);
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => (),
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        at
    }

    /// The offset after the string that begins at `at`.
    fn string(&self, at: usize) -> usize {
        let mut at = at + 1;
        loop {
            match self.bytes.get(at) {
                Some(b'\\') => at += 2,
                Some(b'"') => return at + 1,
                Some(_) => at += 1,
                None => return self.bytes.len(),
            }
        }
    }

    fn blank(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at.min(self.bytes.len()) + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    }
}

struct Member {
    /// Where its key begins, of an object's.
    key: Option<usize>,
    value: usize,
}

/// The string that `bytes` begin with.
fn serde_key(bytes: &[u8]) -> Option<String> {
    let end = Scanner { bytes }.string(0);
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    base::Json::parse(text).ok()?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_and_else_the_nearest() {
        let text = "{\n  \"StartAt\": \"A\",\n  \"States\": {\n    \"A\": {\"Type\": \"Choice\", \"Choices\": [ {\"x\":[1]},\n      {\"Next\": \"\u{5bcc}]\"} ]},\n    \"A/B\": {\"Type\": \"\\\"}\", \"N[0]\": 1}\n  }\n}";
        let at = |location: &str| {
            let Position { line, column } = position(text, location);
            format!("{line}:{column}")
        };
        let found: Vec<String> = [
            "/",
            "",
            "/StartAt",
            "/States/A",
            "/States/A/Choices[1]",
            "/States/A/Choices[1]/Next",
            "/States/A/Choices[7]/Next",
            "/States/A/B",
            "/States/A/B/N[0]",
            "/States/Z/Type",
            "/States/A/Choices[0]/x[0]",
        ]
        .map(at)
        .into();
        assert_eq!(found, ["1:1", "1:1", "2:14", "4:10", "5:7", "5:16", "4:40", "6:12", "6:36", "3:13", "4:48"]);
    }

    #[test]
    fn what_is_not_json_has_a_beginning() {
        for text in ["", "x", "{\"a", "[1,", "{\"a\":{\"b\":", "\u{3042}"] {
            for location in ["/a/b", "[0]", "/", "[x]", "[1][2]"] {
                let _somewhere = position(text, location);
            }
        }
    }
}
