//! X-Ray's trace header, as `StartExecution` takes it (`AWS X-Ray Developer Guide, Tracing header`).
//!
//! `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`

/// What a header says, as far as it says it in the right form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub trace: Option<u128>,
    pub parent: Option<u64>,
    /// Whoever asked does not want this execution traced.
    pub unsampled: bool,
}

impl Header {
    pub fn parse(text: &str) -> Header {
        let field = |name: &str| {
            let fields = text.split(';').filter_map(|field| field.trim().split_once('='));
            fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
        };
        Header {
            trace: field("Root").and_then(root),
            parent: field("Parent").filter(|id| id.len() == 16).and_then(|id| u64::from_str_radix(id, 16).ok()),
            unsampled: field("Sampled") == Some("0"),
        }
    }
}

/// `1-8 digits-24 digits`: the first are the time, and all together the id.
fn root(text: &str) -> Option<u128> {
    let (time, rest) = text.strip_prefix("1-")?.split_once('-')?;
    if time.len() != 8 || rest.len() != 24 {
        return None;
    }
    u128::from_str_radix(&format!("{time}{rest}"), 16).ok().filter(|id| *id != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_it_says() {
        let header = Header::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1");
        assert_eq!(header.trace, Some(0x5759_e988_bd86_2e3f_e1be_46a9_9427_2793));
        assert_eq!((header.parent, header.unsampled), (Some(0x5399_5c3f_42cd_8ad8), false));
        let nothing = Header { trace: None, parent: None, unsampled: false };
        for text in [
            "",
            "Root=1-5759e988",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Parent=xyz;=;;",
            "Root=1-+759e988-bd862e3fe1be46a99427279あ",
        ] {
            assert_eq!(Header::parse(text), nothing, "{text}");
        }
        assert!(Header::parse("sampled=0").unsampled);
    }
}
