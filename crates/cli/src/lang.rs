//! In which language people are spoken to.

/// The languages of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    En,
    Ja,
}

impl Lang {
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Ja];

    /// What `--lang` says, else the first of these variables that says anything, else English.
    pub fn choose(flag: Option<Lang>, variable: impl Fn(&str) -> Option<String>) -> Lang {
        let spoken = || {
            let locale =
                ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty())?;
            Some(if locale == "ja" || locale.starts_with("ja_") || locale.starts_with("ja.") {
                Lang::Ja
            } else {
                Lang::En
            })
        };
        flag.or_else(spoken).unwrap_or(Lang::En)
    }

    /// The same before the arguments are parsed, so that help and usage errors speak it too.
    pub fn guess(args: &[std::ffi::OsString], variable: impl Fn(&str) -> Option<String>) -> Lang {
        let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
        let apart = args.windows(2).find(|pair| pair[0] == "--lang").map(|pair| pair[1]);
        let joined = args.iter().find_map(|arg| arg.strip_prefix("--lang="));
        let flag = apart.or(joined).and_then(|text| <Lang as clap::ValueEnum>::from_str(text, true).ok());
        Lang::choose(flag, variable)
    }

    pub fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Ja => "ja",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locale(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_flag_wins_then_the_first_locale_that_is_set() {
        assert_eq!(Lang::choose(Some(Lang::En), locale(&[("LANG", "ja_JP.UTF-8")])), Lang::En);
        assert_eq!(Lang::choose(None, locale(&[("LANG", "ja_JP.UTF-8")])), Lang::Ja);
        assert_eq!(Lang::choose(None, locale(&[("LC_ALL", "C"), ("LANG", "ja_JP.UTF-8")])), Lang::En);
        assert_eq!(Lang::choose(None, locale(&[("LC_ALL", ""), ("LANG", "ja")])), Lang::Ja);
        assert_eq!(Lang::choose(None, locale(&[])), Lang::En);
    }

    #[test]
    fn the_flag_is_found_before_parsing() {
        let args: Vec<_> = ["dandori", "--lang=ja", "help"].map(Into::into).into();
        assert_eq!(Lang::guess(&args, locale(&[])), Lang::Ja);
        let args: Vec<_> = ["dandori", "--lang", "en"].map(Into::into).into();
        assert_eq!(Lang::guess(&args, locale(&[("LANG", "ja_JP")])), Lang::En);
    }
}
